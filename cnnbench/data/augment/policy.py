"""Policies of several operations: RandAugment (Cubuk et al. 2019), AutoAugment (Cubuk et al. 2018, table 9),
TrivialAugment, wide (Mueller and Hutter 2021), and AugMix (Hendrycks et al. 2019), with torchvision's scales.

Numbers: the share of the image itself in the result, then for each chain of effects its share, its length, and for
each effect its number, which says its form too, and its value. All but AugMix are one chain with a share of 1.
"""

from __future__ import annotations

from random import Random

import numpy as np
import torch
from PIL import Image

from cnnbench.config.augment import PolicyConfig
from cnnbench.data.augment.effects import SIGNED, STRENGTHS, Form, applied, number_of, value
from cnnbench.data.augment.operation import VARYING, Operation

Chain = list[tuple[int, float]]  # (number of an effect, value), in the order in which they act
BINS = 30  # the greatest magnitude of RandAugment and TrivialAugment; AutoAugment's and AugMix's is 9

# AutoAugment's policy for ILSVRC: pairs of (effect, probability, magnitude), of which one is drawn. As printed: some
# pairs come twice.
IMAGENET = (
    (("posterize", 0.4, 8), ("rotate", 0.6, 9)),
    (("solarize", 0.6, 5), ("autocontrast", 0.6, 0)),
    (("equalize", 0.8, 0), ("equalize", 0.6, 0)),
    (("posterize", 0.6, 7), ("posterize", 0.6, 6)),
    (("equalize", 0.4, 0), ("solarize", 0.2, 4)),
    (("equalize", 0.4, 0), ("rotate", 0.8, 8)),
    (("solarize", 0.6, 3), ("equalize", 0.6, 0)),
    (("posterize", 0.8, 5), ("equalize", 1.0, 0)),
    (("rotate", 0.2, 3), ("solarize", 0.6, 8)),
    (("equalize", 0.6, 0), ("posterize", 0.4, 6)),
    (("rotate", 0.8, 8), ("color", 0.4, 0)),
    (("rotate", 0.4, 9), ("equalize", 0.6, 0)),
    (("equalize", 0.0, 0), ("equalize", 0.8, 0)),
    (("invert", 0.6, 0), ("equalize", 1.0, 0)),
    (("color", 0.6, 4), ("contrast", 1.0, 8)),
    (("rotate", 0.8, 8), ("color", 1.0, 2)),
    (("color", 0.8, 8), ("solarize", 0.8, 7)),
    (("sharpness", 0.4, 7), ("invert", 0.6, 0)),
    (("shear_x", 0.6, 5), ("equalize", 1.0, 0)),
    (("color", 0.4, 0), ("equalize", 0.6, 0)),
    (("equalize", 0.4, 0), ("solarize", 0.2, 4)),
    (("solarize", 0.6, 5), ("autocontrast", 0.6, 0)),
    (("invert", 0.6, 0), ("equalize", 1.0, 0)),
    (("color", 0.6, 4), ("contrast", 1.0, 8)),
    (("equalize", 0.8, 0), ("equalize", 0.6, 0)),
)


def draw(policy: PolicyConfig, random: Random) -> tuple[float, ...]:
    if policy.kind == "augmix":
        return _augmix(policy, random)
    return 0.0, *_flat(1.0, DRAWS[policy.kind](policy, random))


def _randaugment(policy: PolicyConfig, random: Random) -> Chain:
    chain = []
    for _ in range(policy.count):
        magnitude = min(max(random.gauss(policy.magnitude, policy.magnitude_std), 0.0), BINS)
        effect = _any(policy, magnitude / BINS, random)
        if random.random() < policy.each_p:
            chain.append(effect)
    return chain


def _trivialaugment(policy: PolicyConfig, random: Random) -> Chain:
    return [_any(policy, random.randint(0, BINS) / BINS, random)]


def _autoaugment(policy: PolicyConfig, random: Random) -> Chain:
    pair = random.choice(IMAGENET)
    return [
        _effect(policy, name, magnitude / 9, random)
        for name, probability, magnitude in pair
        if random.random() < probability
    ]


def _augmix(policy: PolicyConfig, random: Random) -> tuple[float, ...]:
    mixed = random.betavariate(policy.alpha, policy.alpha)
    parts = [random.gammavariate(policy.alpha, 1) for _ in range(policy.width)]  # in proportion: Dirichlet
    numbers = [1 - mixed]
    for part in parts:
        length = policy.depth if policy.depth > 0 else random.randint(1, 3)
        chain = [_any(policy, random.randrange(policy.severity) / 9, random) for _ in range(length)]
        numbers += _flat(mixed * part / sum(parts), chain)
    return tuple(numbers)


def _any(policy: PolicyConfig, strength: float, random: Random) -> tuple[int, float]:
    return _effect(policy, random.choice(list(STRENGTHS[_strengths(policy)])), strength, random)


def _strengths(policy: PolicyConfig) -> str:
    """The key of the policy's effects and their strengths."""
    return "timm" if policy.kind == "randaugment" and policy.operations == "timm" else policy.kind


def _effect(policy: PolicyConfig, name: str, strength: float, random: Random) -> tuple[int, float]:
    size = value(_strengths(policy), name, strength)
    size = -size if name in SIGNED and random.random() < 0.5 else size
    drawn = policy.resampling == "drawn" and random.random() < 0.5
    form = Form(policy.fill == "mean", Image.Resampling.BICUBIC if drawn else Image.Resampling.BILINEAR)
    return number_of(name, form), size


def _flat(share: float, chain: Chain) -> list[float]:
    return [share, float(len(chain)), *(each for number, size in chain for each in (float(number), size))]


def apply(image: np.ndarray, numbers: tuple[float, ...]) -> np.ndarray:
    picture = Image.fromarray(image if image.shape[2] == 3 else image[:, :, 0])
    rest = iter(numbers)
    mixed = next(rest) * image.astype(np.float32)
    for share in rest:
        changed = picture
        for _ in range(int(next(rest))):
            changed = applied(int(next(rest)), changed, next(rest))
        mixed += share * np.asarray(changed, np.float32).reshape(image.shape)
    return np.rint(mixed).astype(np.uint8)


def apply_batch(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    raise ValueError("a policy has no form for a batch: its operations differ from image to image")


DRAWS = {"randaugment": _randaugment, "trivialaugment": _trivialaugment, "autoaugment": _autoaugment}
POLICY = Operation(VARYING, draw, apply, apply_batch)
