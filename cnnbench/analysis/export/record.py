"""What a user of a written network has to know, kept in its file."""

from __future__ import annotations

import json

from cnnbench.archs.from_config import normalised_by
from cnnbench.config.arch import ArchConfig


def record(arch: ArchConfig, size: int, num_classes: int, classes: tuple[str, ...] | None) -> dict[str, str]:
    """The network, its images of side `size` and its classes as text; lists as JSON. `classes`: their names, if they
    are known. archs/weights/read.py reads it back."""
    mean, std = normalised_by(arch)
    epsilon = {} if arch.bn_epsilon is None else {"bn_epsilon": str(arch.bn_epsilon)}
    return {
        **epsilon,
        "arch": arch.name,
        "options": json.dumps(arch.options),
        "num_classes": str(num_classes),
        "classes": json.dumps(classes),
        "image_size": str(size),
        "crop_ratio": str(arch.crop_ratio),
        "interpolation": arch.interpolation,
        "in_channels": str(arch.in_channels),
        "mean": json.dumps(mean),
        "std": json.dumps(std),
    }
