"""Scores are judged over runs of consecutive windows, which end where the windows do."""

import numpy as np
import pandas as pd
import pytest

from hydrascope.schemas.normality import NormalitySpec
from hydrascope.tasks.score_runs import over_runs, running_mean, running_median


def judged(scores: list[float], *, units: list[int] | None = None, **spec: float) -> list[float]:
    """Return what is judged of scores of machine a, with a gap behind the fourth, and of b."""
    start = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta([0, 60, 120, 240, 0, 60], "s")
    windows = pd.DataFrame({"start": start, "equipment_id": ["a"] * 4 + ["b"] * 2})
    each = np.array(units or [0] * 6)
    found = over_runs(np.array(scores), windows, each, 60.0, NormalitySpec(**spec))
    return found.tolist()


def test_smoothing_begins_anew_behind_a_gap_and_at_another_machine() -> None:
    scores = [1.0, 3.0, np.nan, 5.0, 7.0, 1.0]
    np.testing.assert_array_equal(judged(scores, smoothing=0.5), [1, 2, np.nan, 5, 7, 4])
    np.testing.assert_array_equal(judged(scores), scores)


def test_a_run_ends_where_another_condition_begins() -> None:
    scores = [1.0, 3.0, 9.0, 5.0, 7.0, 1.0]
    expected = [np.nan, 2, np.nan, np.nan, np.nan, 4]
    np.testing.assert_array_equal(judged(scores, units=[0, 0, 1, 1, 0, 0], run_windows=2), expected)


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_the_running_median_is_that_of_the_last_scores_that_there_are(count: int) -> None:
    scores = np.random.default_rng(count).gamma(2.0, size=24)
    expected = pd.Series(scores).rolling(count).median().to_numpy()
    np.testing.assert_allclose(running_median(scores, count), expected)
    gaps = np.insert(scores, [0, 3, 3, 24], np.nan)
    known = ~np.isnan(gaps)
    np.testing.assert_allclose(running_median(gaps, count)[known], expected)
    assert np.isnan(running_median(gaps, count)[~known]).all()


def test_the_median_of_an_odd_run_exceeds_a_threshold_if_most_of_its_scores_do() -> None:
    scores = np.random.default_rng(0).random(400)
    found = running_median(scores, 5)[4:] > 0.5
    most = np.convolve(scores > 0.5, np.ones(5), "valid") >= 3
    np.testing.assert_array_equal(found, most)


def test_the_running_mean_is_that_of_the_known_windows_among_the_last_ones() -> None:
    known = np.array([np.nan, 1.0, np.nan, 4.0, 7.0])
    np.testing.assert_allclose(running_mean(known, 3), [np.nan, 1.0, 1.0, 2.5, 5.5])
    np.testing.assert_allclose(running_mean(known, 1), known)
