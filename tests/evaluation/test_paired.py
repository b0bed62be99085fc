"""Paired comparisons against slow computations of the same, and against scipy's figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnbench.evaluation import paired
from cnnbench.evaluation.paired import Discordant, bootstrap, difference, discordant, over_both, over_seeds


def with_errors(wrong: list[int], n: int) -> np.ndarray:
    """A group whose trainings have so many of n images wrong, the first ones."""
    return np.array([np.arange(n) < count for count in wrong])


def drawn(seed: int, trainings: int, images: int, error: float, strength: float = 0.3) -> np.ndarray:
    """Answers with a part that images share, one that trainings share (of deviation `strength`), and luck."""
    random = np.random.default_rng(seed)
    shared = strength * random.standard_normal((trainings, 1)) + random.standard_normal(images)
    return shared + random.standard_normal((trainings, images)) > error


def test_images_on_which_two_networks_differ_are_counted():
    first, second = np.array([1, 1, 0, 0, 1], bool), np.array([0, 1, 1, 0, 0], bool)
    assert discordant(first, second) == Discordant(2, 1, 5)
    assert difference(first[None], second[None]) == pytest.approx(20)
    assert Discordant(3, 12, 100).p == 0.03515625


def test_the_interval_of_one_pair_is_bonetts_and_prices():
    low, high = Discordant(3, 12, 98).interval  # (4 - 13) / 100 and its standard error, by hand
    half = 1.959963984540054 * math.sqrt((0.04 + 0.13 - 0.09**2) / 100)
    assert (low, high) == pytest.approx((-9 - 100 * half, -9 + 100 * half))
    assert Discordant(0, 0, 50).interval[0] < 0 < Discordant(0, 0, 50).interval[1], "no image tells them apart"


def test_the_difference_that_would_be_seen_is_seen_four_times_in_five():
    random, n, share = np.random.default_rng(0), 5000, 0.1
    points = Discordant(250, 250, n).smallest_seen() / 100
    split = [(share + points) / 2, (share - points) / 2, 1 - share]
    seen = [Discordant(int(a), int(b), n).p < 0.05 for a, b, _ in random.multinomial(n, split, 1000)]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.04)


def test_over_seeds_is_the_t_test_of_welch():
    """scipy.stats.ttest_ind([24.1, 23.8, 24.4, 24.0], [24.6, 24.9, 24.5], equal_var=False), in percent of 1,000."""
    first, second = with_errors([241, 238, 244, 240], 1000), with_errors([246, 249, 245], 1000)
    spread = over_seeds(first, second)
    found = difference(first, second)
    assert spread.df == pytest.approx(4.868958890591323)
    assert spread.interval(found) == pytest.approx((-1.0410521738375726, -0.14228115949575737))
    assert spread.p(found) == pytest.approx(0.019811257330959453)


def test_a_single_training_is_taken_to_vary_as_the_others():
    spread = over_seeds(with_errors([241, 238, 244, 240], 1000), with_errors([246], 1000))
    assert (spread.error, spread.df) == (pytest.approx(0.25 * math.sqrt(1 + 1 / 4)), 3)
    assert over_seeds(with_errors([241], 1000), with_errors([246], 1000)) is None
    assert over_both(with_errors([241], 1000), with_errors([246], 1000)) is None


@pytest.mark.parametrize("strength", [0.05, 0.3])
def test_over_both_has_the_variance_that_repeating_everything_has(strength):
    """New images and new trainings, many times: the spread of the differences is the standard error on average. Where
    trainings hardly differ, luck is most of it: counted between images and between trainings, it would be 1.4 times."""
    found, errors = [], []
    for seed in range(2000):
        first = drawn(2 * seed, 2, 100, 1.0, strength)
        second = drawn(2 * seed + 1, 2, 100, 1.2, strength)
        found.append(difference(first, second))
        errors.append(over_both(first, second).error ** 2)
    assert np.mean(errors) == pytest.approx(np.var(found), rel=0.12)


@pytest.mark.parametrize("over", ["images", "seeds", "images and seeds"])
def test_the_bootstrap_by_patterns_is_the_bootstrap_by_images(over):
    first, second = drawn(1, 3, 400, 1.0), drawn(2, 4, 400, 1.3)
    random, slow = np.random.default_rng(0), []
    for _ in range(4000):
        rows = random.integers(400, size=400) if over != "seeds" else np.arange(400)
        groups = [
            random.integers(len(g), size=len(g)) if over != "images" else np.arange(len(g)) for g in (first, second)
        ]
        slow.append(100 * (first[groups[0]][:, rows].mean() - second[groups[1]][:, rows].mean()))
    assert bootstrap(first, second, over) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.25)


def test_the_bootstrap_in_pieces_is_the_bootstrap(monkeypatch):
    first, second = drawn(1, 3, 400, 1.0), drawn(2, 4, 400, 1.3)
    whole = bootstrap(first, second, "images and seeds")
    monkeypatch.setattr(paired, "MOST_DRAWN", 1000)
    assert bootstrap(first, second, "images and seeds") == whole


def test_networks_that_answer_alike_do_not_differ():
    group = with_errors([10, 10], 100)
    assert bootstrap(group, group, "images") == (0, 0)
    spread = over_both(group, group)
    assert (spread.interval(0.0), spread.p(0.0)) == ((0, 0), 1)
