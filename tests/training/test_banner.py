"""What the start of a training says it will do."""

from __future__ import annotations

from composing import composed

from cnnbench.training.banner import describe_augment


def test_augmentation_is_told_as_it_acts():
    said = describe_augment(composed("recipe=quick").augment)
    assert said == "crop(center) -> flip(p=0.5) -> shift(p=1, fraction=0.0625)", (
        "an image once in a batch is not worth a word"
    )
    said = describe_augment(composed("recipe=quick", "augment.repeats=3", "augment.mixup.p=0.5").augment)
    assert said.endswith(" -> batches: mixup(p=0.5, alpha=0.2); every image 3 times in a batch")
