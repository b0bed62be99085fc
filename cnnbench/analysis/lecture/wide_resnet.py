"""The lecture's Wide ResNet table, with the time per batch measured on this machine."""

from __future__ import annotations

import statistics

import torch
from torch.nn import functional

from cnnbench.analysis.bench.timing import time_rounds
from cnnbench.analysis.describe.network import describe_named
from cnnbench.analysis.tables import Table
from cnnbench.archs.registry import build
from cnnbench.runtime.devices import choose_device, device_of

# Row of the lecture (WRN paper, Table 8): key, top-1, top-5, million parameters, milliseconds on a Titan X.
PUBLISHED = (
    ("resnet50", 24.01, 7.02, 25.6, 49),
    ("resnet101", 22.44, 6.21, 44.5, 82),
    ("resnet152", 22.16, 6.16, 60.2, 115),
    ("wide_resnet50_2", 21.9, 6.03, 68.9, 93),
)


def time_per_batch(image_size: int = 64, batch: int = 16, repeats: int = 1, device: str = "cpu") -> list[Table]:
    """Error, parameters and the time of forward and backward of one batch, published and measured.

    The paper's images have 224 pixels; the default 64 takes seconds on a CPU. The measured time is the median of
    `repeats` after a warm-up. Needs a few GiB of memory at 224 pixels. UserError for a device that is missing.
    """
    rows, place = [], device_of(0, choose_device(device))
    first = None
    for name, top1, top5, params, published_ms in PUBLISHED:
        measured = 1000 * _seconds(name, image_size, batch, repeats, place)
        first = first or measured
        counted = describe_named(name).totals.params / 1e6
        ratio = published_ms / PUBLISHED[0][-1]
        rows.append((name, top1, top5, params, counted, published_ms, ratio, measured, measured / first))
    columns = {
        "network": "",
        "top-1 error (%)": ".2f",
        "top-5 error (%)": ".2f",
        "params (M)": ".1f",
        "counted (M)": ".2f",
        "time (ms), Titan X": "",
        "times resnet50": ".2f",
        "time (ms), here": ",.0f",
        "times resnet50, here": ".2f",
    }
    notes = [
        f"time: forward and backward of {batch} images. Titan X: 224 pixels; here: {image_size} pixels on {device}, "
        f"median of {repeats}, float32",
        "the ratio depends on the device and the size of the images: a GPU of 2016 had less time to gain from many "
        "small layers than from few large ones",
        "lecture: the 50-layer wide network outperforms the 152-layer one. True (21.9 against 22.16), with 14 % more "
        "parameters and, on the Titan X, 19 % less time",
        "the lecture's other ResNet table (22.9, 21.8, 21.4) has 10 crops and other weights: not comparable",
    ]
    return [Table("Wide ResNet against deep ResNet", columns, rows, notes)]


def _seconds(name: str, image_size: int, batch: int, repeats: int, device: torch.device) -> float:
    """Median time of one forward and backward pass."""
    model = build(name).to(device).train()
    images = torch.randn(batch, 3, image_size, image_size, device=device)
    labels = torch.zeros(batch, dtype=torch.long, device=device)

    def work() -> None:
        model.zero_grad(set_to_none=True)
        functional.cross_entropy(model(images), labels).backward()

    return statistics.median(time_rounds({name: work}, repeats, device, least=0)[name])
