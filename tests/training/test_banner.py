"""What the start of a training says it will do."""

from __future__ import annotations

from types import SimpleNamespace

from composing import composed
from torch import nn

from cnnbench.training.banner import _average, _norms, describe_augment
from cnnbench.training.frozen import Frozen


def test_augmentation_is_told_as_it_acts():
    said = describe_augment(composed("recipe=quick").augment)
    assert said == "crop(center) -> flip(p=0.5) -> shift(p=1, fraction=0.0625)", (
        "an image once in a batch is not worth a word"
    )
    said = describe_augment(composed("recipe=quick", "augment.repeats=3", "augment.mixup.p=0.5").augment)
    assert said.endswith(" -> batches: mixup(p=0.5, alpha=0.2); every image 3 times in a batch")


def test_a_run_too_short_for_its_running_statistics_is_told_so():
    def told(images: int, *words: str, momentum: float = 0.01) -> str:
        config = composed("recipe=quick", "batch=64", "epochs=3", *words)
        model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, momentum=momentum))
        data = SimpleNamespace(images=images)
        steps = images // 64
        return _norms(SimpleNamespace(config=config, model=model, data=data, steps_per_epoch=steps, frozen=Frozen()))

    assert told(64 * 100) == "1 of momentum 0.01, epsilon 1e-05"
    short = told(64 * 99)
    assert "remember 100 batches, and the run has 297" in short
    assert short.endswith("say little (arch.bn_momentum=0.01 or precise_bn=8192)")
    assert "(arch.bn_momentum=0.001 or" in told(64 * 1000, momentum=0.0003)
    assert "(arch.bn_momentum=1 or" in told(64)
    assert "warning" not in told(64 * 50, "accumulate=2"), "each part counts"
    said = told(64 * 10, "precise_bn=8192", "bn_group=32", momentum=0.1)
    assert said == (
        "1 of momentum 0.1, epsilon 1e-05; over at most 32 images; computed anew over 640 training images for the last "
        "evaluation"
    )
    plain = SimpleNamespace(config=composed("recipe=quick"), model=nn.Conv2d(1, 2, 1))
    assert _norms(plain) is None


def test_a_decay_that_follows_the_run_is_told_as_it_acts():
    """0.99998 of torchvision at its own batch of 1024 and 600 epochs, every 32 steps."""
    said = _average(composed("recipe=modern", "arch=resnet50", "batch=1024"))
    assert said.startswith("ema(decay=0.99890")
    assert said.endswith("(decay: 0.99998 stated for a run)")
    assert _average(composed("recipe=quick", "batch=64")) is None
