"""What the publisher of a file of weights expects: images, and switches of the network. Imports no torch.

published.tsv has a line per published file: network, publisher, the publisher's name of it, the first digits of the
file's SHA-256 where its publisher states them, side of the crop and short side of the image, pixels, interpolation,
mean and deviation (IMAGES), switches of the network, and the error where facts.json has none.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cnnbench.archs.facts import facts
from cnnbench.runtime.errors import nearest
from cnnbench.runtime.sealed import sha256

TABLE = Path(__file__).with_name("published.tsv")
USUAL = 0.875  # share of the short side that a crop has; kept where it gives the same pixels
# Mean and deviation of images, of (R, G, B) in [0, 1].
IMAGES = {
    "ilsvrc": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "half": ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
    "caffe": ([123.68 / 255, 116.779 / 255, 103.939 / 255], [1 / 255] * 3),
    "bninception": ([128 / 255, 117 / 255, 104 / 255], [1 / 255] * 3),
    "kuangliu": ([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]),
    "cifar": ([125.3 / 255, 123.0 / 255, 113.9 / 255], [63.0 / 255, 62.1 / 255, 66.7 / 255]),
    "inception5h": ([117 / 255] * 3, [1 / 255] * 3),
}


@dataclass(frozen=True)
class Profile:
    """One published file of weights.

    `label`: how weights_from= names it. `sha256`: its first digits, or "". `images`: a name of IMAGES. `keys`: the keys
    of `arch` that follow from it, by their full names. Errors are in percent, None where the publisher states none.
    """

    arch: str
    publisher: str
    name: str
    label: str
    sha256: str
    images: str
    keys: Mapping[str, Any]
    top1_err: float | None
    top5_err: float | None

    @property
    def options(self) -> dict[str, Any]:
        """The switches of the network among `keys`, by their own names."""
        start = "arch.options."
        return {key.removeprefix(start): value for key, value in self.keys.items() if key.startswith(start)}


@cache
def profiles() -> tuple[Profile, ...]:
    """Every published file that is known, in the order of the networks."""
    with open(TABLE, newline="", encoding="utf-8") as file:
        return tuple(_profile(row) for row in csv.DictReader(file, delimiter="\t"))


def profiles_of(arch: str) -> dict[str, Profile]:
    """What is published of the network `arch`, by label."""
    return {profile.label: profile for profile in profiles() if profile.arch == arch}


def named(arch: str, label: str) -> Profile:
    """The profile that weights_from=`label` means: a whole label, or a publisher that has one file of the network.

    Raises ValueError if there is none, or several.
    """
    known = profiles_of(arch)
    found = [label] if label in known else [each for each in known if each.partition(":")[0] == label]
    if len(found) == 1:
        return known[found[0]]
    if found:
        raise ValueError(f"weights_from={label} has several files of {arch}: choose one of {', '.join(found)}")
    having = f"known of {arch}: {', '.join(known)}" if known else f"none is known of {arch}"
    raise ValueError(f"weights_from={label} has no weights of {arch}{nearest(label, known)}; {having}")


def of_file(arch: str, path: Path) -> Profile | None:
    """The profile whose SHA-256 the file `path` has, or None. Raises OSError."""
    known = [profile for profile in profiles_of(arch).values() if profile.sha256]
    digest = _sha256(path) if known else ""
    return next((profile for profile in known if digest.startswith(profile.sha256)), None)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return sha256(file, path.stat().st_size)


def _profile(row: dict[str, str]) -> Profile:
    mean, std = IMAGES[row["images"]]
    size, short = int(row["image_size"]), int(row["short_side"])
    keys = {
        "arch.image_size": size,
        "arch.crop_ratio": USUAL if round(size / USUAL) == short else size / short,
        "arch.interpolation": row["interpolation"],
        "arch.mean": mean,
        "arch.std": std,
    }
    keys |= {f"arch.options.{name}": value for name, value in (yaml.safe_load(row["options"]) or {}).items()}
    top1, top5 = _errors(row)
    return Profile(
        row["arch"], row["publisher"], row["name"], _label(row), row["sha256"], row["images"], keys, top1, top5
    )


def _label(row: dict[str, str]) -> str:
    """torchvision:IMAGENET1K_V1, timm:a1_in1k; of others, which publish one file of each network, their name alone."""
    publisher, tag = row["publisher"].lower(), row["name"].rpartition(".")[2]
    return f"{publisher}:{tag}" if row["publisher"] in ("torchvision", "timm") else publisher


def _errors(row: dict[str, str]) -> tuple[float | None, float | None]:
    for weights in facts(row["arch"])["weights"]:
        if (weights["publisher"], weights["name"]) == (row["publisher"], row["name"]):
            return weights["top1_err"], weights["top5_err"]
    top1, top5 = (float(row[name]) if row[name] else None for name in ("top1_err", "top5_err"))
    return top1, top5


def same(one: Any, other: Any) -> bool:
    """Whether two values of a key are the same, numbers and lists of them but for rounding."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) or isinstance(other, float):
        try:
            return math.isclose(one, other, rel_tol=1e-6)
        except TypeError:
            return False
    return bool(one == other)
