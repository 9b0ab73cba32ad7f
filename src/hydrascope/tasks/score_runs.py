"""Scores over runs of consecutive windows: the median of the last ones, and an exponential mean."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hydrascope.data.windows import EQUIPMENT, microseconds
from hydrascope.schemas.normality import NormalitySpec

Floats = NDArray[np.float64]


def running_median(scores: Floats, count: int) -> Floats:
    """Return the median of each score and the `count` − 1 scores before it.

    It exceeds a threshold if and only if more than half of the scores do, for odd counts. So a few
    windows that are out of the ordinary, such as those after a change of load, raise no alarm.
    Windows without a score (NaN) are skipped and stay NaN; so do the first `count` − 1 scores.

    Args:
        scores: [W], of one run.
        count: The number of scores in each median.
    """
    result, known = np.full_like(scores, np.nan), np.flatnonzero(~np.isnan(scores))
    if len(known) >= count:
        result[known[count - 1 :]] = np.median(sliding_window_view(scores[known], count), axis=1)
    return result


def running_mean(scores: Floats, count: int) -> Floats:
    """Return the mean of each score and the `count` − 1 scores before it that are known.

    Args:
        scores: [W], of one run; NaN for a window without a score.
        count: The number of windows in each mean.
    """
    return pd.Series(scores).rolling(count, min_periods=1).mean().to_numpy(np.float64)


def over_runs(
    scores: Floats,
    windows: pd.DataFrame,
    units: NDArray[np.int64],
    stride_s: float,
    spec: NormalitySpec,
    pooled: Callable[[Floats, int], Floats] = running_median,
) -> Floats:
    """Return what is judged of one score: its running median or mean, smoothed.

    A run ends when the machine changes, a window is missing, or the next window is of another unit:
    a run of one condition says nothing about the next.

    Args:
        scores: [W]; NaN for a window without a score.
        windows: The W rows of the window table, those of each machine ordered by time.
        units: The number of each window's unit, [W]; equal where windows may share a run.
        stride_s: The time between the starts of two consecutive windows.
        spec: `run_windows` and `smoothing`.
        pooled: `running_median`, or for probabilities `running_mean`.
    """
    result = scores.copy()
    if spec.run_windows == 1 and not spec.smoothing:
        return result
    for run in _runs(windows, units, stride_s):
        result[run] = smoothed(pooled(scores[run], spec.run_windows), spec.smoothing)
    return result


def smoothed(scores: Floats, smoothing: float) -> Floats:
    """Return the exponentially weighted mean s_t = smoothing · s_{t−1} + (1 − smoothing) · x_t.

    Windows without a score (NaN) are skipped and stay NaN.

    Args:
        scores: [W], of one run.
        smoothing: The weight of the past, below 1; 0 returns the scores unchanged.
    """
    result, state = scores.copy(), math.nan
    for row in np.flatnonzero(~np.isnan(scores)):
        score = float(scores[row])
        state = score if math.isnan(state) else smoothing * state + (1 - smoothing) * score
        result[row] = state
    return result


def _runs(
    windows: pd.DataFrame, units: NDArray[np.int64], stride_s: float
) -> Iterator[NDArray[np.int64]]:
    """Yield the positions of the windows of each run."""
    start, machine = microseconds(windows["start"]), windows[EQUIPMENT].to_numpy()
    gap = np.diff(start) > round(stride_s * 1e6)
    ends = gap | (machine[1:] != machine[:-1]) | (units[1:] != units[:-1])
    yield from np.split(np.arange(len(windows)), np.flatnonzero(ends) + 1)
