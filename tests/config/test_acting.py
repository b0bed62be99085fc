"""Keys that do nothing in the given combination are refused where they are typed."""

from __future__ import annotations

import pytest

from cnnbench.config.acting import TABLE
from cnnbench.config.fields import entries

# Words after `cnnbench`, and what is said of the first of them that does nothing.
IDLE = [
    ("train arch.learning_rate=0.1 recipe=quick optimizer.lr=0.3", "does nothing, for this recipe states its own rate"),
    ("train arch.image_size=64 recipe=quick", "arch.image_size=64 acts only without image_size=, and not with data="),
    ("train arch.recipe=vgg", "arch.recipe=vgg does nothing here: give recipe=NAME"),
    ("train recipe_batch=64 batch=32", "recipe_batch=64 does nothing with batch="),
    ("train weights_set=ema", "weights_set=ema acts only with weights=FILE"),
    ("train augment.rotate.degrees=15", "does nothing with augment.rotate.p=0: give augment.rotate.p=1"),
    ("train augment.flip.p=0.5 augment.order=[crop] recipe=quick", "does nothing while augment.order leaves out flip"),
    ("train schedule.warmup_start=0.1 recipe=lenet", "acts only with schedule.warmup_epochs above 0"),
    ("train -m augment.rotate.degrees=30,40 recipe=quick", "augment.rotate.degrees=30.0 does nothing"),
    ("eval arch=resnet18 weights=torchvision data=sample checkpoint=best", "checkpoint=best acts only with run=NAME"),
    ("eval run=a arch.dropout=0.1", "arch.dropout= acts only with arch=NETWORK"),
    ("eval run=a protocol=multiscale_dense crop_ratio=0.8", "crop_ratio=0.8 does nothing with scales"),
    ("bench images=5", "images=5 does nothing with what=model"),
    ("data show data=sample seed=1", "seed=1 acts only with draws=N"),
    ("data stats data=sample area=whole crop_ratio=0.8", "crop_ratio=0.8 does nothing with area=whole"),
    ("lecture output=foo", "output=foo acts only with all=true"),
]


@pytest.mark.parametrize(("words", "said"), IDLE, ids=[words for words, _ in IDLE])
def test_a_key_that_does_nothing_is_refused(command, words, said):
    done = command(*words.split())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr


@pytest.mark.parametrize("words", ["augment.rotate.p=0", "augment.flip.p=0 augment.order=[crop]", "average=none"])
def test_what_is_turned_off_is_no_mistake(command, words):
    assert command("train", "recipe=quick", *words.split(), "--cfg", "job").returncode == 0


def test_the_table_names_keys_that_there_are():
    for row in TABLE:
        for name in row.keys:
            known = entries(row.schema)
            assert name in known or name.endswith("*"), name
            assert not name.endswith(".*") or name[:-2] in known, name
