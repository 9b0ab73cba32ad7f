"""Thresholds hold the false-alarm rate that they state, and say so when they cannot."""

import math
from typing import get_args

import numpy as np
import pytest
from scipy.special import digamma, gammaincc
from scipy.stats import binomtest

from hydrascope.schemas.normality import ThresholdRule
from hydrascope.tasks.alarm_thresholds import (
    THRESHOLDS,
    conformal_threshold,
    gamma_threshold,
    quantile_threshold,
    resolved_rate,
    sigma_threshold,
    wilson_interval,
)


@pytest.mark.parametrize(("held_out", "rate"), [(19, 0.05), (99, 0.01), (60, 0.1), (300, 0.05)])
def test_exchangeable_scores_exceed_the_threshold_as_often_as_stated(
    held_out: int, rate: float
) -> None:
    generator = np.random.default_rng(held_out)
    draws = 4000
    scores = generator.gamma(2.0, size=(draws, held_out + 1))
    alone = np.arange(held_out)
    alarms = sum(row[-1] > conformal_threshold(row[:-1], rate, alone) for row in scores)
    expected = (held_out + 1 - math.ceil(round((held_out + 1) * (1 - rate), 9))) / (held_out + 1)
    assert expected <= rate
    assert binomtest(int(alarms), draws, expected).pvalue > 1e-3


def test_too_few_scores_give_the_largest_and_say_what_they_resolve() -> None:
    scores = np.array([3.0, 1.0, np.nan, 2.0])
    assert conformal_threshold(scores, 0.01, np.arange(4)) == 3.0
    assert resolved_rate(3, 0.01) == 0.25
    assert resolved_rate(99, 0.01) == 0.01
    assert math.isnan(conformal_threshold(np.array([np.nan]), 0.1, np.zeros(1, dtype=np.int64)))


def test_windows_of_unseen_conditions_exceed_the_threshold_as_rarely_as_stated() -> None:
    """Few conditions of unequal size shift all their windows; taken one by one they mislead."""
    generator = np.random.default_rng(0)
    sizes, rate, draws = np.array([200, 200, 10, 10, 10, 10, 10, 10, 10]), 0.1, 1500
    condition = np.repeat(np.arange(9), sizes)
    alarms = np.zeros(2)
    for _ in range(draws):
        scores = generator.normal(size=9)[condition] + 0.3 * generator.normal(size=len(condition))
        new = generator.normal() + 0.3 * generator.normal()
        alarms += [
            new > conformal_threshold(scores, rate, groups)
            for groups in (condition, np.arange(len(condition)))
        ]
    held, misled = (binomtest(int(each), draws, rate, "greater").pvalue for each in alarms)
    assert held > 1e-3
    assert misled < 1e-3


def test_groups_weigh_the_same_whatever_their_size() -> None:
    scores, groups = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 3.0]), np.array([0, 0, 0, 0, 1, 2])
    # Mass 1 lies up to 1.0, 2 up to 2.0, 3 up to 3.0, and a fourth beyond.
    assert conformal_threshold(scores, 0.75, groups) == 1.0
    assert conformal_threshold(scores, 0.5, groups) == 2.0
    assert conformal_threshold(scores, 0.3, groups) == 3.0


@pytest.mark.parametrize("rule", get_args(ThresholdRule))
@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_each_rule_comes_close_to_the_rate_where_its_assumption_holds(
    rule: ThresholdRule, rate: float
) -> None:
    random = np.random.default_rng(1)
    draw = random.normal if rule == "sigma" else random.gamma
    scores, alone = draw(20.0, 1.0, 20_000), np.arange(20_000)
    scores[::7] = np.nan
    threshold = THRESHOLDS[rule](scores, rate, alone)
    assert (draw(20.0, 1.0, 100_000) > threshold).mean() == pytest.approx(rate, rel=0.15)
    assert math.isnan(THRESHOLDS[rule](np.full(3, np.nan), rate, alone[:3]))
    assert THRESHOLDS[rule](np.full(3, 2.5), rate, alone[:3]) == pytest.approx(2.5)


def test_a_quantile_counts_windows_alike_and_sigma_is_the_control_charts_three() -> None:
    scores, groups = np.array([1.0, 1.0, 1.0, 1.0, 2.0]), np.array([0, 0, 0, 0, 1])
    assert quantile_threshold(scores, 0.25, groups) == 1.0
    assert conformal_threshold(scores, 0.25, groups) == 2.0
    assert sigma_threshold(scores, 0.00134990, groups) == pytest.approx(1.2 + 3 * 0.4, rel=1e-4)


def test_the_gamma_rule_fits_by_maximum_likelihood() -> None:
    scores = np.random.default_rng(2).gamma(3.0, 0.5, 400)
    # Of the maximum, ln k − ψ(k) = ln mean − mean ln; solved by bisection.
    aim = np.log(scores.mean()) - np.log(scores).mean()
    low, high = 1e-3, 1e3
    for _ in range(200):
        k = (low + high) / 2
        low, high = (k, high) if np.log(k) - digamma(k) > aim else (low, k)
    found = gamma_threshold(scores, 0.02, np.arange(400))
    assert gammaincc(k, found * k / scores.mean()) == pytest.approx(0.02, rel=1e-3)


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (3, 10), (50, 1000), (7, 7)])
def test_the_bounds_of_wilsons_interval_are_as_far_off_as_the_share_they_would_be_of(
    hits: int, trials: int
) -> None:
    z = 1.959964  # of 95 % of a normal distribution
    bounds = np.array(wilson_interval(hits, trials))
    distance = np.abs(hits / trials - bounds)
    np.testing.assert_allclose(distance, z * np.sqrt(bounds * (1 - bounds) / trials), atol=1e-6)
    assert wilson_interval(0, 0) == (0.0, 1.0)
