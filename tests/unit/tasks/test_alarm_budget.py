"""Thresholds from a budget of alarms in hours keep it on machines that were not held out."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from hydrascope.models.alarm_test import AlarmTest, alarm_begins
from hydrascope.tasks.alarm_budget import (
    Budget,
    alarm_width,
    budget_threshold,
    in_streams,
    poisson_interval,
)


def fleet(random: np.random.Generator, machines: int, windows: int) -> np.ndarray:
    """Scores of healthy machines that differ, with a few unusual windows."""
    logs = random.normal(0.0, 0.1, (machines, 1)) + random.normal(0.0, 0.2, (machines, windows))
    unusual = random.uniform(size=logs.shape) < 0.005
    return np.exp(logs + 2.0 * unusual)


def alarms(scores: np.ndarray, threshold: float, width: float) -> int:
    return int(alarm_begins(AlarmTest(width).run(scores / threshold)).sum())


def test_the_threshold_is_the_lowest_that_keeps_to_the_allowed_alarms() -> None:
    scores = fleet(np.random.default_rng(0), 30, 100)
    width = alarm_width(scores)
    threshold = budget_threshold(scores, width, 5)
    assert alarms(scores, threshold, width) <= 5
    assert alarms(scores, 0.995 * threshold, width) > 5
    assert budget_threshold(scores, width, 0) > threshold


def test_new_machines_raise_as_many_alarms_as_were_asked_for_on_average() -> None:
    random, budget, hours, begun = np.random.default_rng(1), Budget(2.0, 4.0), 0.0, 0
    for _ in range(60):
        held_out = fleet(random, 40, 60)
        width = alarm_width(held_out)
        allowed = budget.allowed(held_out.size * budget.every_h, len(held_out))
        threshold = budget_threshold(held_out, width, allowed)
        new = fleet(random, 20, 60)
        hours += new.size * budget.every_h
        begun += alarms(new, threshold, width)
    rate = 1000.0 * begun / hours
    assert 1.4 < rate < 2.2


def test_a_few_hours_allow_no_alarm_and_say_what_they_can_promise() -> None:
    budget = Budget(1.0, 1.0)
    assert budget.allowed(900.0, 9) == 0
    assert budget.allowed(9000.0, 9) == 9
    assert budget.resolved(90.0, 9) == pytest.approx(10.0)
    assert budget.resolved(9000.0, 9) == 1.0
    assert budget.resolved(0.0, 0) == np.inf


def test_the_width_ignores_a_few_unusual_windows() -> None:
    logs = np.random.default_rng(2).normal(0.0, 0.2, 5000)
    logs[:20] += 5.0
    assert alarm_width(np.exp(logs)) == pytest.approx(8 * 0.2, rel=0.05)
    assert alarm_width(np.full(5, 2.0)) > 0.0


def test_without_scores_there_is_no_threshold() -> None:
    assert np.isnan(budget_threshold(np.full((2, 3), np.nan), 1.0, 0))


def test_streams_are_those_of_each_machine_and_key_in_their_order() -> None:
    random = np.random.default_rng(3)
    scores, machine, key = (
        random.normal(size=50),
        random.integers(3, size=50),
        random.integers(2, size=50),
    )
    streams, place = in_streams(scores, machine, key)
    table = pd.DataFrame({"score": scores, "machine": machine, "key": key})
    for row, (_, own) in enumerate(table.groupby(["machine", "key"])):
        np.testing.assert_array_equal(streams[row, : len(own)], own["score"])
        assert np.isnan(streams[row, len(own) :]).all()
    np.testing.assert_array_equal(streams.ravel()[place], scores)


def test_the_interval_of_a_count_is_exact() -> None:
    low, high = poisson_interval(7)
    assert poisson.sf(6, low) == pytest.approx(0.025)
    assert poisson.cdf(7, high) == pytest.approx(0.025)
    assert poisson_interval(0)[0] == 0.0
