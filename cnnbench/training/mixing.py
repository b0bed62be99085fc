"""Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019): each image of a batch with the one before it, labels alike.

What is drawn depends on (seed, global step) alone, and is the same for all images of the step: on every process, in
every accumulated part. Each part is mixed within itself, as in torchvision's reference scripts.
"""

from __future__ import annotations

import math
from random import Random

import torch
from torch.nn import functional as F

from cnnbench.config.augment import AugmentConfig


def mix(
    images: torch.Tensor, labels: torch.Tensor, classes: int, augment: AugmentConfig, seed: int, global_step: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mixed images, float (N, C, H, W), in place, and their targets: float32 (N, classes), shares that sum to 1.

    labels: int64 (N,). Where neither mixup nor cutmix acts, images and labels as they are.
    """
    names = [name for name in ("mixup", "cutmix") if getattr(augment, name).p > 0]
    if not names:
        return images, labels
    random = Random(f"mix {seed} {global_step}")
    name = random.choice(names)
    method = getattr(augment, name)
    if random.random() >= method.p:
        return images, labels
    share = random.betavariate(method.alpha, method.alpha)
    if name == "mixup":
        images.lerp_(images.roll(1, 0), 1 - share)
    else:
        left, top, right, bottom = box(images.shape[3], images.shape[2], share, random)
        images[:, :, top:bottom, left:right] = images.roll(1, 0)[:, :, top:bottom, left:right]
        share = 1 - (right - left) * (bottom - top) / (images.shape[3] * images.shape[2])
    target = F.one_hot(labels, classes).float()
    return images, target.lerp(target.roll(1, 0), 1 - share)


def box(width: int, height: int, share: float, random: Random) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a rectangle of 1 - share of the area around a random pixel, cut at the borders."""
    x, y, half = random.randrange(width), random.randrange(height), math.sqrt(1 - share) / 2
    across, down = int(half * width), int(half * height)
    return max(x - across, 0), max(y - down, 0), min(x + across, width), min(y + down, height)
