"""`cnnbench zoo weights=true`: every published file of weights that is known, with what it expects and its error."""

from __future__ import annotations

from typing import Any

from cnnbench.analysis.tables import Table
from cnnbench.archs.weights.profiles import IMAGES, Profile, profiles
from cnnbench.config.fields import shown

COLUMNS = {
    "network": "", "weights_from": "", "crop": "d", "of short side": "d", "resize": "", "images": "", "top-1": ".2f",
    "top-5": ".2f",
}  # fmt: skip


def weights_table(archs: list[str]) -> Table:
    """The published weights of the networks `archs`. Errors in percent, as the publishers state them; sides in pixels.

    Switches of the network that follow from weights stand below: as a column they would cut the names of the others.
    """
    found = [profile for profile in profiles() if profile.arch in archs]
    notes = [
        "top-1, top-5: error in percent, as the publisher states it",
        *(f"images {name}: {_numbers(*IMAGES[name])}" for name in dict.fromkeys(each.images for each in found)),
        *(f"{each.arch}, {each.label}: {switches}" for each in found if (switches := _switches(each))),
    ]
    return Table(f"{len(found)} published files of weights", COLUMNS, [_row(each) for each in found], notes)


def _row(profile: Profile) -> list[Any]:
    keys = profile.keys
    size, short = keys["arch.image_size"], round(keys["arch.image_size"] / keys["arch.crop_ratio"])
    about = (profile.arch, profile.label, size, short, keys["arch.interpolation"], profile.images)
    return [*about, profile.top1_err, profile.top5_err]


def _switches(profile: Profile) -> str:
    """The network's switches that follow from the weights, as on the command line."""
    return " ".join(f"{name}={shown(value)}" for name, value in profile.keys.items() if ".options." in name)


def _numbers(mean: list[float], std: list[float]) -> str:
    first, second = (" ".join(f"{value:.4g}" for value in values) for values in (mean, std))
    return f"mean {first} and deviation {second}, of R, G, B in [0, 1]"
