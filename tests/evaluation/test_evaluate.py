"""Several networks in one pass over the images."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnnbench.config.arch import ArchConfig
from cnnbench.data.loading.loader import BROKEN_LABEL, Batch
from cnnbench.data.loading.normalise import Normalise
from cnnbench.evaluation.counts import count_wrong
from cnnbench.evaluation.evaluate import evaluate
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.precision import choose_precision

ARCH = ArchConfig(name="tiny", mean=[0.5] * 3, std=[0.25] * 3)


class Images:
    """29 images in batches of 8, one of them broken; counts how often it is gone through."""

    order = range(4)

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(0)
        self.pixels = torch.randint(0, 256, (29, 4, 4, 3), dtype=torch.uint8, generator=draw)
        self.labels = torch.randint(0, 9, (29,), generator=draw)
        self.labels[11] = BROKEN_LABEL
        self.broken = {11: "image 11 is broken"}
        self.passes = 0

    def __iter__(self) -> Iterator[Batch]:
        self.passes += 1
        for pixels, labels in zip(self.pixels.split(8), self.labels.split(8), strict=True):
            yield Batch(pixels, labels, torch.zeros(len(labels), 0))


def test_two_networks_in_one_pass_count_as_each_alone(capsys):
    torch.manual_seed(0)
    models = [nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(48, 9)) for _ in range(2)]
    images, normalise = Images(), Normalise(ARCH, torch.device("cpu"), False)
    asked = []
    rest = normalise, choose_precision("float32", "cpu"), Process(), lambda: asked.append(1)
    found = evaluate(models, images, *rest)
    assert (images.passes, len(asked)) == (1, 4)
    assert capsys.readouterr().err == "counted as wrong: image 11 is broken\n"
    pixels = normalise(Batch(images.pixels, images.labels, torch.zeros(29, 0)))
    for model, (counts, loss) in zip(models, found, strict=True):
        logits = model.eval()(pixels)
        assert [counts.wrong1, counts.wrong5, counts.n] == count_wrong(logits, images.labels).tolist()
        assert loss == pytest.approx(F.cross_entropy(logits, images.labels, ignore_index=BROKEN_LABEL).item(), rel=1e-6)
        assert evaluate([model], images, *rest) == [(counts, loss)]
    assert found[0] != found[1]
