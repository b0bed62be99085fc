"""Probabilities against those of scipy 1.17.1 and statsmodels 0.15.0, which are written down here."""

from __future__ import annotations

import math

import pytest

from cnnbench.evaluation.distributions import (
    binomial_two_sided,
    holm,
    seeds_needed,
    t_quantile,
    t_test_power,
    t_two_sided,
)
from cnnbench.evaluation.seeds import half_band, mean_interval, p_of_one_more


@pytest.mark.parametrize(
    ("t", "df", "p"),  # 2 * scipy.stats.t.sf(|t|, df)
    [
        (0.0, 3, 1.0),
        (1.0, 1, 0.5),
        (-2.5, 3.7, 0.07182202291182678),
        (12.7, 2, 0.006142941599595777),
        (4.0, 999, 6.801470983803941e-05),
        (0.01, 50, 0.992061081367143),
        (1.959963984540054, math.inf, 0.05),
    ],
)
def test_the_tails_of_students_t(t, df, p):
    assert t_two_sided(t, df) == pytest.approx(p, rel=1e-11)


@pytest.mark.parametrize(
    ("p", "df", "t"),  # scipy.stats.t.ppf(p, df)
    [
        (0.975, 1, 12.706204736174694),
        (0.975, 2.5, 3.5746548420036817),
        (0.9, 4, 1.533206274058944),
        (0.025, 9, -2.2621571627982053),
        (0.995, 300, 2.5923164108477925),
        (0.5, 3, 0.0),
    ],
)
def test_the_quantiles_of_students_t(p, df, t):
    assert t_quantile(p, df) == pytest.approx(t, rel=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "p"),  # statsmodels' mcnemar([[0, first], [second, 0]], exact=True)
    [
        (0, 0, 1.0),
        (6, 6, 1.0),
        (3, 12, 0.03515625),
        (12, 3, 0.03515625),
        (37, 181, 5.6327055439618235e-24),
        (500, 560, 0.06990955946026937),
    ],
)
def test_the_exact_test_of_mcnemar(first, second, p):
    assert binomial_two_sided(first, first + second) == pytest.approx(p, rel=1e-12)


@pytest.mark.parametrize(
    ("effect", "each", "power"),  # statsmodels' TTestIndPower().power(effect, each, 0.05)
    [
        (1.0, 5, 0.28629549338059757),
        (0.3, 100, 0.5600592535808472),
        (3.0, 4, 0.9389357455090207),
        (1.0, 2, 0.09520175549788396),
    ],
)
def test_the_power_of_a_t_test(effect, each, power):
    assert t_test_power(effect, each) == pytest.approx(power, abs=3e-6)


@pytest.mark.parametrize(
    ("difference", "deviation", "seeds"),  # TTestIndPower().solve_power, rounded up
    [(0.3, 0.25, 12), (0.1, 0.1, 17), (0.05, 0.2, 253), (0.3, 0.0, 2)],
)
def test_how_many_seeds_show_a_difference(difference, deviation, seeds):
    assert seeds_needed(difference, deviation) == seeds


def test_more_seeds_than_anyone_has_are_the_most():
    assert seeds_needed(0.001, 10, most=50) == 50


def test_several_tests_are_corrected_as_holm_says():
    assert holm([0.01, 0.04, 0.03, 0.2, 0.005]) == pytest.approx([0.04, 0.09, 0.09, 0.2, 0.025])
    assert holm([]) == []
    assert holm([0.6, 0.9]) == [1.0, 1.0]


def test_the_mean_of_seeds_and_where_one_more_would_lie():
    errors = [24.1, 23.8, 24.4, 24.0]  # mean 24.075, standard deviation 0.25; t of 3 degrees: 3.18245 (scipy)
    assert mean_interval(errors) == pytest.approx((24.075 - 3.1824463 * 0.125, 24.075 + 3.1824463 * 0.125))
    assert mean_interval([10.0, 90.0]) == (0.0, 100.0)
    assert half_band(errors) == pytest.approx(3.1824463 * 0.25 * math.sqrt(2))
    assert half_band(errors, judged=4) == pytest.approx(3.1824463 * 0.25 * math.sqrt(1.25))
    assert p_of_one_more(errors, 24.075 + 3.1824463 * 0.25 * math.sqrt(1.25)) == pytest.approx(0.05)
    assert p_of_one_more([3.0, 3.0, 3.0], 3.0) == 1
    assert p_of_one_more([3.0, 3.0, 3.0], 3.1) == 0
