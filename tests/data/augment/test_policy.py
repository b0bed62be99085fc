"""Policies: their tables and each effect against torchvision's; what is drawn against what the papers say."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from photos import mosaic
from PIL import Image
from torchvision.transforms import InterpolationMode, autoaugment

from cnnbench.config.augment import PolicyConfig
from cnnbench.data.augment import effects, policy

SIDE = 331
KINDS = {
    "randaugment": (autoaugment.RandAugment()._augmentation_space(31, (SIDE, SIDE)), 31),
    "trivialaugment": (autoaugment.TrivialAugmentWide()._augmentation_space(31), 31),
    "autoaugment": (autoaugment.AutoAugment()._augmentation_space(10, (SIDE, SIDE)), 10),
    "augmix": (autoaugment.AugMix(all_ops=False)._augmentation_space(10, (SIDE, SIDE)), 10),
}


def theirs(name: str) -> str:
    """torchvision's name of an effect."""
    name = {"autocontrast": "auto_contrast"}.get(name.replace("slide", "translate"), name.replace("slide", "translate"))
    return "".join(part.capitalize() for part in name.split("_"))


@pytest.fixture(scope="module")
def photo(sample) -> Image.Image:
    return mosaic(sample, 53, 40)


@pytest.mark.parametrize("kind", KINDS)
def test_effects_and_their_strengths_are_torchvisions(kind):
    space, bins = KINDS[kind]
    assert {theirs(name) for name in effects.STRENGTHS[kind]} == set(space)
    for name in effects.STRENGTHS[kind]:
        values, signed = space[theirs(name)]
        assert (name in effects.SIGNED) == signed
        ours = [effects.value(kind, name, number / (bins - 1)) for number in range(bins)]
        if values.ndim:
            share = SIDE if name.startswith("translate") else 1
            assert np.array(ours) * share == pytest.approx(values.double().numpy(), abs=1e-4)


def test_the_table_of_autoaugment_is_torchvisions():
    expected = autoaugment.AutoAugment().policies
    ours = [tuple((theirs(name), p, magnitude) for name, p, magnitude in pair) for pair in policy.IMAGENET]
    assert ours == [tuple((name, p, magnitude or 0) for name, p, magnitude in pair) for pair in expected]


@pytest.mark.parametrize("name", effects.EFFECTS)
def test_each_effect_is_torchvisions(photo, name):
    for size in {"posterize": (2, 7), "solarize": (0.0, 60.5)}.get(name, (-0.4, 0.3)):
        scale = {"rotate": 90, "slide_x": 30, "slide_y": 30}.get(name, 1)
        number = size * scale
        pixels = number * {"translate_x": photo.width, "translate_y": photo.height}.get(name, 1)
        for image in (photo, photo.convert("L")):
            expected = autoaugment._apply_op(image, theirs(name), pixels, InterpolationMode.BILINEAR, None)
            changed = effects.EFFECTS[name](image, number)
            assert changed.mode == image.mode
            assert np.array_equal(np.asarray(changed), np.asarray(expected))
            if name != "identity" and (name, image.mode) != ("color", "L"):
                assert not np.array_equal(np.asarray(changed), np.asarray(image))


def chain_of(numbers: tuple[float, ...]) -> list[tuple[str, float]]:
    share, weight, length, *rest = numbers
    assert (share, weight, length) == (0, 1, len(rest) / 2)
    return [(list(effects.EFFECTS)[int(which)], size) for which, size in zip(rest[::2], rest[1::2], strict=True)]


def draws(config: PolicyConfig, count: int = 3000) -> list[list[tuple[str, float]]]:
    return [chain_of(policy.draw(config, Random(seed))) for seed in range(count)]


def test_randaugment_draws_each_effect_alike_at_one_magnitude():
    chains = draws(PolicyConfig(count=3, magnitude=9))
    assert {len(chain) for chain in chains} == {3}
    counts = Counter(name for chain in chains for name, _ in chain)
    assert len(counts) == 14
    assert all(abs(count - 9000 / 14) < 110 for count in counts.values())
    for name, size in (item for chain in chains for item in chain):
        assert abs(size) == pytest.approx(effects.value("randaugment", name, 0.3))
    signs = [size > 0 for chain in chains for name, size in chain if name == "rotate"]
    assert 0.44 < np.mean(signs) < 0.56


def test_randaugment_with_spread_and_with_effects_left_out():
    chains = draws(PolicyConfig(count=2, magnitude=21, magnitude_std=1.5, each_p=0.5))
    lengths = Counter(len(chain) for chain in chains)
    assert [lengths[n] / 3000 for n in range(3)] == pytest.approx([0.25, 0.5, 0.25], abs=0.03)
    degrees = [abs(size) for chain in chains for name, size in chain if name == "rotate"]  # magnitude 30: 30 degrees
    assert np.mean(degrees) == pytest.approx(21, abs=0.4)
    assert np.std(degrees) == pytest.approx(1.5, abs=0.3)


def test_trivialaugment_draws_one_effect_at_any_magnitude():
    chains = draws(PolicyConfig(kind="trivialaugment"))
    assert {len(chain) for chain in chains} == {1}
    degrees = {round(abs(size), 6) for chain in chains for name, size in chain if name == "rotate"}
    assert degrees == {4.5 * number for number in range(31)}


def test_autoaugment_draws_from_its_table():
    chains = draws(PolicyConfig(kind="autoaugment"))
    degrees = {round(abs(size), 6) for chain in chains for name, size in chain if name == "rotate"}
    magnitudes = {magnitude for pair in policy.IMAGENET for name, _, magnitude in pair if name == "rotate"}
    assert degrees == {round(30 * magnitude / 9, 6) for magnitude in magnitudes}, "ten levels, 9 is 30 degrees"
    counts = Counter(tuple(name for name, _ in chain) for chain in chains)
    table = Counter()
    for (first, p, _), (second, q, _) in policy.IMAGENET:
        table[(first, second)] += p * q / 25
        table[(first,)] += p * (1 - q) / 25
        table[(second,)] += (1 - p) * q / 25
        table[()] += (1 - p) * (1 - q) / 25
    assert set(counts) <= set(table)
    for names, share in table.items():
        assert counts[names] / 3000 == pytest.approx(share, abs=0.02)


def test_augmix_mixes_chains_with_shares_that_sum_to_one(photo):
    image = np.asarray(photo)
    own, all_lengths = [], set()
    for seed in range(400):
        numbers = policy.draw(PolicyConfig(kind="augmix", severity=3, width=3), Random(seed))
        own.append(numbers[0])
        mixed, rest, total, lengths = numbers[0] * image.astype(float), list(numbers[1:]), numbers[0], []
        while rest:
            share, length, *rest = rest
            lengths.append(int(length))
            chain, total = photo, total + share
            for _ in range(int(length)):
                which, size, *rest = rest
                chain = list(effects.EFFECTS.values())[int(which)](chain, size)
            mixed += share * np.asarray(chain)
        assert total == pytest.approx(1)
        assert len(lengths) == 3
        all_lengths |= set(lengths)
        if seed < 25:
            assert np.abs(policy.apply(image, numbers) - mixed).max() <= 0.5001
    assert all_lengths == {1, 2, 3}
    assert np.mean(own) == pytest.approx(0.5, abs=0.05)  # Beta(1, 1) is even
    assert np.std(own) == pytest.approx(12**-0.5, abs=0.03)
    assert policy.draw(PolicyConfig(kind="augmix", depth=2, width=1), Random(0))[2] == 2
    own, *rest = policy.draw(PolicyConfig(kind="augmix", alpha=1000.0, depth=1, width=3), Random(0))
    assert [own, *rest[::4]] == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6], abs=0.03), "alpha is of both draws"


def test_augmix_draws_strengths_below_its_severity():
    """Of ten levels 0 .. 9, those below the severity, all alike (torchvision's AugMix: `magnitudes` of ten bins, one of
    the first `severity` drawn): at severity 3 a rotation by 0, 1 or 2 ninths of 30 degrees."""
    degrees = Counter()
    for seed in range(2000):
        _, *rest = policy.draw(PolicyConfig(kind="augmix", severity=3, width=1, depth=1), Random(seed))
        name, size = list(effects.EFFECTS)[int(rest[2])], rest[3]
        if name == "rotate":
            degrees[round(abs(size) * 9 / 30, 6)] += 1
    assert set(degrees) == {0, 1, 2}
    assert all(abs(count - degrees.total() / 3) < 25 for count in degrees.values())


def test_policies_take_grey_images_and_leave_their_input(photo):
    grey = np.asarray(photo.convert("L"))[:, :, None].copy()
    before = grey.copy()
    for kind in KINDS:
        for seed in range(20):
            changed = policy.apply(grey, policy.draw(PolicyConfig(kind=kind), Random(seed)))
            assert changed.shape == grey.shape
            assert changed.dtype == np.uint8
    assert np.array_equal(grey, before)
    with pytest.raises(ValueError, match="no form for a batch"):
        policy.apply_batch(None, None)
