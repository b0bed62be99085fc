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


OF_TIMM = ("shift_x", "shift_y", "solarize_add")  # torchvision has none of them


@pytest.mark.parametrize("name", [name for name in effects.EFFECTS if name not in OF_TIMM])
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


# What timm 1.0.31 (timm/data/auto_augment.py, LEVEL_TO_ARG) gives at magnitudes 0, 3, 6, 7 and 9 of 10.
TIMM = {
    "posterize": (4, 3, 2, 2, 1),  # bits that stay
    "solarize": (256, 180, 103, 77, 26),
    "solarize_add": (0, 33, 66, 77, 99),
    "rotate": (0, 9, 18, 21, 27),
    "shear_x": (0, 0.09, 0.18, 0.21, 0.27),
    "shift_y": (0, 0.135, 0.27, 0.315, 0.405),
    "color": (0, 0.27, 0.54, 0.63, 0.81),
    "invert": (0, 0, 0, 0, 0),
}


@pytest.mark.parametrize("name", TIMM)
def test_strengths_of_timms_set_are_timms(name):
    found = [effects.value("timm", name, magnitude / 10) for magnitude in (0, 3, 6, 7, 9)]
    assert found == pytest.approx(TIMM[name])


def test_timms_set_is_drawn_in_its_own_form():
    """15 operations; on the mean colour; half of those that interpolate by cubics."""
    config = PolicyConfig(count=2, magnitude=21, operations="timm", fill="mean", resampling="drawn")
    drawn = Counter()
    for seed in range(3000):
        _, _, _, *rest = policy.draw(config, Random(seed))
        drawn.update(map(int, rest[::2]))
    forms, names = Counter(), Counter()
    for number, count in drawn.items():
        form, which = divmod(number, len(effects.EFFECTS))
        names[list(effects.EFFECTS)[which]] += count
        forms[effects.FORMS[form]] += count
    assert set(names) == set(effects.STRENGTHS["timm"])
    assert len(names) == 15
    assert all(abs(count - 6000 / 15) < 80 for count in names.values())
    assert {form.mean for form in forms} == {True}
    assert forms[effects.FORMS[2]] / 6000 == pytest.approx(0.5, abs=0.03)


def test_what_geometry_leaves_open_is_of_the_forms_colour(photo):
    black, mean = effects.PLAIN, effects.Form(mean=True)
    for name, size in (("rotate", 30.0), ("shear_x", 0.3), ("shift_y", 0.4), ("translate_x", 0.4)):
        corners = []
        for image in (photo, photo.convert("L")):
            first, second = (np.asarray(effects.EFFECTS[name](image, size, form)) for form in (black, mean))
            changed = (first != second).reshape(*first.shape[:2], -1).any(2)
            corners.append(
                {
                    tuple(np.atleast_1d(pixel))
                    for pixel in second[changed & (first == 0).reshape(*changed.shape, -1).all(2)]
                }
            )
        assert (124, 116, 104) in corners[0]
        assert (117,) in corners[1]


def test_forms_interpolate_otherwise_and_solarize_add_is_by_hand(photo):
    cubic = effects.Form(resampling=Image.Resampling.BICUBIC)
    changed = np.asarray(effects.applied(effects.number_of("rotate", cubic), photo, 10.0))
    assert np.array_equal(changed, np.asarray(photo.rotate(10.0, Image.Resampling.BICUBIC)))
    image = np.asarray(photo).astype(int)
    expected = np.where(image < 128, np.minimum(image + 77, 255), image)
    assert np.array_equal(np.asarray(effects.EFFECTS["solarize_add"](photo, 77.0)), expected)


def test_the_greatest_strengths_leave_no_bits(photo):
    """Pillow itself refuses 0 bits, which ended training."""
    for kind in ("augmix", "timm"):
        assert effects.value(kind, "posterize", 1.0) == 0
    for image in (photo, photo.convert("L")):
        assert not np.asarray(effects.EFFECTS["posterize"](image, 0.0)).any()


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
