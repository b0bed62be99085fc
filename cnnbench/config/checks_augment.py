"""Checks of the keys of augmentation; imports no torch."""

from __future__ import annotations

import dataclasses
from typing import Any

from cnnbench.config.augment import AT, POLICY_KEYS, AugmentConfig
from cnnbench.config.values import check_acting, check_range, require
from cnnbench.runtime.errors import nearest

# (key, low, high) of values that lie in a closed range.
RANGES = (
    ("rotate.degrees", 0, 180),
    ("shift.fraction", 0, 1),
    ("crop.padding", 0, float("inf")),
    ("pca.std", 0, float("inf")),
    ("jitter.brightness", 0, float("inf")),
    ("jitter.contrast", 0, float("inf")),
    ("jitter.saturation", 0, float("inf")),
    ("jitter.hue", 0, 0.5),
    ("policy.count", 1, float("inf")),
    ("policy.magnitude", 0, 30),
    ("policy.magnitude_std", 0, float("inf")),
    ("policy.each_p", 0, 1),
    ("policy.severity", 1, 10),
    ("policy.width", 1, float("inf")),
    ("policy.depth", -1, float("inf")),
)
POSITIVE = ("policy.alpha", "mixup.alpha", "cutmix.alpha")
BATCH = ("mixup", "cutmix")  # on whole batches, after all of augment.order


def check_augment(augment: AugmentConfig, size: int) -> None:
    """Raise UserError for the first key that cannot work for images of side `size`."""
    groups = [item.name for item in dataclasses.fields(augment) if dataclasses.is_dataclass(item.default_factory)]
    _check_order(augment, [name for name in groups if name not in BATCH])
    for name in groups:
        if hasattr(getattr(augment, name), "p"):
            check_range(f"augment.{name}.p", getattr(augment, name).p, 0, 1)
    for name, low, high in RANGES:
        check_range(f"augment.{name}", _value(augment, name), low, high)
    for name in POSITIVE:
        check_range(f"augment.{name}", _value(augment, name), 0, open_low=True)
    check_range("augment.contrast.cutoff", augment.contrast.cutoff, 0, below=50)
    check_range("augment.clahe.clip_limit", augment.clahe.clip_limit, 0, 256, open_low=True)
    check_range("augment.clahe.grid", augment.clahe.grid, 1, size)
    check_range("augment.repeats", augment.repeats, 1)
    require(augment.policy.depth != 0, "augment.policy.depth=0 is not possible: use -1 (drawn), or 1 and more")
    check_acting("augment.policy", augment.policy, POLICY_KEYS)
    _check_pair(augment, "crop.scale", 1)
    _check_pair(augment, "crop.ratio", float("inf"))
    _check_pair(augment, "crop.short_side", float("inf"))
    _check_pair(augment, "erase.scale", 1)
    _check_pair(augment, "erase.ratio", float("inf"))
    _check_crop(augment)


def _check_order(augment: AugmentConfig, operations: list[str]) -> None:
    for name in augment.order:
        require(
            name not in BATCH, f"augment.order takes no '{name}': it acts on whole batches, at the end; leave it out"
        )
        require(
            name in operations,
            f"augment.order has no operation '{name}'{nearest(name, operations)}; known: {', '.join(operations)}",
        )
    require(augment.order.count("crop") == 1, "augment.order needs 'crop' exactly once: it sets the image size")
    require(len(set(augment.order)) == len(augment.order), "augment.order names an operation twice")
    if augment.device == "gpu":
        early = augment.order[: augment.order.index("crop")]
        require(
            not early,
            f"augment.device=gpu needs every operation after the crop, where images have one size: move crop before "
            f"{', '.join(early)} in augment.order, or leave augment.device=cpu",
        )
        require(
            augment.policy.p == 0,
            f"augment.device=gpu has no policies (augment.policy.p={augment.policy.p:g}): leave augment.device=cpu",
        )


def _check_crop(augment: AugmentConfig) -> None:
    crop = augment.crop
    require(
        crop.kind != "scale_jitter" or crop.short_side[0] >= AT,
        f"augment.crop.short_side={crop.short_side} is smaller than the crop: it is for images of {AT} pixels, in "
        f"proportion at other sides, so give at least {AT}",
    )
    require(
        crop.kind != "ten_fixed" or augment.flip.p == 0.5,
        "augment.crop.kind=ten_fixed needs augment.flip.p=0.5: half of its ten crops are mirrored",
    )


def _check_pair(augment: AugmentConfig, name: str, high: float) -> None:
    pair = _value(augment, name)
    require(
        len(pair) == 2 and 0 < pair[0] <= pair[1] <= high,
        f"augment.{name}={pair} is not a range: give two values above 0, the smaller first"
        + (f", at most {high:g}" if high < float("inf") else ""),
    )


def _value(augment: AugmentConfig, name: str) -> Any:
    group, _, last = name.partition(".")
    return getattr(getattr(augment, group), last)
