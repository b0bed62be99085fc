"""Mixup and CutMix against a slow loop; what they draw depends on the step alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnbench.config.augment import AugmentConfig, CutmixConfig, MixupConfig
from cnnbench.training.mixing import box, mix

MIXUP = AugmentConfig(mixup=MixupConfig(p=1, alpha=0.4))
CUTMIX = AugmentConfig(cutmix=CutmixConfig(p=1, alpha=1.0))
BOTH = AugmentConfig(mixup=MixupConfig(p=0.5, alpha=0.2), cutmix=CutmixConfig(p=1, alpha=1.0))
LABELS = torch.tensor([3, 0, 4, 4, 1])


def images(n: int = 5) -> torch.Tensor:
    return torch.rand(n, 3, 12, 17, generator=torch.Generator().manual_seed(n))


@pytest.mark.parametrize("step", range(12))
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_mixup_blends_each_image_with_the_one_before(step, layout):
    before = images()
    mixed, target = mix(before.clone(memory_format=layout), LABELS, 6, MIXUP, 7, step)
    share = target[0, 3].item()  # labels 3 and, of the last image, 1
    assert target[0, 1].item() == pytest.approx(1 - share, abs=1e-6)
    assert mixed.is_contiguous(memory_format=layout)
    for n in range(5):
        assert torch.allclose(mixed[n], share * before[n] + (1 - share) * before[n - 1], atol=1e-5)
        expected = torch.zeros(6)
        expected[LABELS[n]] += share
        expected[LABELS[n - 1]] += 1 - share
        assert torch.allclose(target[n], expected, atol=1e-6)


@pytest.mark.parametrize("step", range(12))
def test_cutmix_takes_a_rectangle_and_its_share_of_the_label(step):
    before = images()
    mixed, target = mix(before.clone(), LABELS, 6, CUTMIX, 7, step)
    taken = np.zeros((12, 17), bool)
    for n in range(5):
        for y, x in np.ndindex(12, 17):
            source = n - 1 if torch.equal(mixed[n, :, y, x], before[n - 1, :, y, x]) else n
            assert torch.equal(mixed[n, :, y, x], before[source, :, y, x])
            taken[y, x] |= source != n
        assert target[n].sum().item() == pytest.approx(1)
    rows, columns = np.flatnonzero(taken.any(1)), np.flatnonzero(taken.any(0))
    assert taken.sum() == len(rows) * len(columns)
    assert target[0, 3].item() == pytest.approx(1 - taken.mean(), abs=1e-6)


def test_the_box_has_the_area_asked_for_where_it_fits():
    class Middle:
        def randrange(self, length: int) -> int:
            return length // 2

    for share in (0.2, 0.5, 0.9):
        left, top, right, bottom = box(200, 100, share, Middle())
        assert (right - left) * (bottom - top) / 20000 == pytest.approx(1 - share, abs=0.02)
        assert (right - left) / (bottom - top) == pytest.approx(2, abs=0.1)


def test_shares_follow_a_beta_distribution():
    shares = []
    for step in range(1500):
        _, target = mix(torch.zeros(2, 1, 1, 1), torch.tensor([0, 1]), 2, MIXUP, 0, step)
        shares.append(target[0, 0].item())
    assert np.mean(shares) == pytest.approx(0.5, abs=0.03)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.08)


def test_either_acts_and_only_as_often_as_asked():
    kinds = []
    for step in range(1200):
        before = images(2)
        mixed, target = mix(before.clone(), torch.tensor([0, 1]), 2, BOTH, 0, step)
        if target.dim() == 1:
            assert torch.equal(mixed, before)
            kinds.append("none")
        else:
            whole = (mixed == before) | (mixed == before.roll(1, 0))
            kinds.append("cutmix" if whole.all() else "mixup")
    assert [kinds.count(kind) / 1200 for kind in ("none", "mixup", "cutmix")] == pytest.approx(
        [0.25, 0.25, 0.5], abs=0.05
    )


def test_a_share_of_a_batch_is_mixed_as_the_whole_is():
    """Other images, the same step: the same share, so that processes and accumulated parts agree."""
    for augment in (MIXUP, CUTMIX, BOTH):
        for step in range(6):
            first = mix(images(4), torch.tensor([0, 1, 0, 1]), 2, augment, 3, step)[1]
            second = mix(images(2), torch.tensor([0, 1]), 2, augment, 3, step)[1]
            assert torch.equal(first[:2], second)
    differ = {mix(images(2), torch.tensor([0, 1]), 2, MIXUP, seed, 0)[1][0, 0].item() for seed in range(5)}
    assert len(differ) == 5


def test_nothing_acts_by_default():
    before = images()
    mixed, target = mix(before, LABELS, 6, AugmentConfig(), 0, 0)
    assert mixed is before
    assert target is LABELS
