"""`cnnbench zoo weights=true`: every published file of weights that is known, with what it expects and its error."""

from __future__ import annotations

from typing import Any

from cnnbench.analysis.tables import Table
from cnnbench.archs.weights.profiles import IMAGES, Profile, profiles
from cnnbench.config.fields import shown

COLUMNS = {
    "network": "", "weights_from": "", "size": "d", "short side": "d", "interpolation": "", "images": "",
    "switches": "", "top-1": ".2f", "top-5": ".2f",
}  # fmt: skip


def weights_table(archs: list[str]) -> Table:
    """The published weights of the networks `archs`. Errors in percent, as the publishers state them; pixels."""
    found = [profile for profile in profiles() if profile.arch in archs]
    notes = [
        "top-1, top-5: error in percent, as the publisher states it",
        *(f"images {name}: {_numbers(*IMAGES[name])}" for name in dict.fromkeys(each.images for each in found)),
    ]
    return Table(f"{len(found)} published files of weights", COLUMNS, [_row(each) for each in found], notes)


def _row(profile: Profile) -> list[Any]:
    keys = profile.keys
    size, options = keys["arch.image_size"], [name for name in keys if name.startswith("arch.options.")]
    return [
        *(profile.arch, profile.label, size, round(size / keys["arch.crop_ratio"]), keys["arch.interpolation"]),
        profile.images,
        " ".join(f"{name.removeprefix('arch.options.')}={shown(keys[name])}" for name in options),
        *(profile.top1_err, profile.top5_err),
    ]


def _numbers(mean: list[float], std: list[float]) -> str:
    first, second = (" ".join(f"{value:.4g}" for value in values) for values in (mean, std))
    return f"mean {first} and deviation {second}, of R, G, B in [0, 1]"
