"""The alarm test against a plain loop, and what it promises of single windows."""

import math

import numpy as np
import pytest

from hydrascope.models.alarm_test import AlarmTest, alarm_begins, mean_since_quiet


def plain(shares: list[float], width: float) -> list[float]:
    """The recursion of the module's docstring, written again."""
    total, sums = 0.0, []
    for share in shares:
        total = min(max(total + min(math.log(share) / width, 0.45), 0.0), 2.0)
        sums.append(total)
    return sums


def test_sums_are_those_of_a_plain_loop() -> None:
    shares = np.exp(np.random.default_rng(0).normal(0.0, 0.3, (5, 40)))
    expected = [plain(row.tolist(), 0.8) for row in shares]
    np.testing.assert_allclose(AlarmTest(0.8).run(shares), expected, rtol=1e-12)


def test_a_window_without_a_score_changes_nothing() -> None:
    test = AlarmTest(1.0)
    sums = test.run(np.array([1.5, np.nan, 1.5]))
    assert np.isnan(sums[1])
    assert sums[2] == pytest.approx(2 * math.log(1.5))
    assert test.step(np.asarray(0.7), np.asarray(np.nan)) == 0.7


def test_no_two_windows_alone_make_an_alarm_and_three_may() -> None:
    sums = AlarmTest(0.5).run(np.array([1.0, 1e9, 1e9, 1e9, 1e9]))
    assert (sums[:3] <= 1.0).all()
    assert sums[3] > 1.0


def test_scores_at_the_threshold_say_nothing_and_zeros_against_a_fault() -> None:
    sums = AlarmTest(1.0).run(np.array([1.4, 1.0, 0.0]))
    assert sums[0] == sums[1] > 0.0
    assert sums[2] == 0.0


def test_an_alarm_ends_soon_after_a_long_fault() -> None:
    sums = AlarmTest(1.0).run(np.array([5.0] * 1000 + [0.7] * 3))
    assert sums[-4] == 2.0
    assert sums[-1] < 1.0


def test_an_alarm_is_about_all_windows_since_the_sum_was_zero() -> None:
    values = np.array([[9.0, 1.0, np.nan, 4.0, 8.0, 2.0], [np.nan, np.nan, 3.0, 5.0, 7.0, 9.0]])
    totals = np.array([[0.0, 0.4, 0.3, 0.7, 0.0, 1.2], [0.1, np.nan, 0.5, 1.1, 1.5, 1.9]])
    expected = [[np.nan, 1.0, 1.0, 2.5, np.nan, 2.0], [np.nan, np.nan, 3.0, 4.0, 5.0, 6.0]]
    np.testing.assert_allclose(mean_since_quiet(values, totals), expected)


def test_an_alarm_begins_once_and_again_after_it_was_over() -> None:
    sums = np.array([0.0, 1.2, np.nan, 1.3, 0.9, np.nan, 1.1])
    assert alarm_begins(sums).tolist() == [False, True, False, False, False, False, True]
    assert alarm_begins(np.array([[1.5, 1.5], [0.0, 2.0]])).sum() == 2
