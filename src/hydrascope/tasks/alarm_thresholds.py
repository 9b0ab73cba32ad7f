"""Thresholds above which a score of normality is an alarm, its smoothing, intervals of shares."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest

from hydrascope.data.windows import microseconds


def conformal_threshold(
    scores: NDArray[np.float64], rate: float, groups: NDArray[np.int64]
) -> float:
    """Return what a score of a new group exceeds with probability `rate` at most.

    Y. Lee, R. F. Barber, R. Willett, "Distribution-free inference with hierarchical data" (2023):
    each of K groups weighs 1, shared among its scores, one more is taken to lie above them all, and
    the threshold is the (1 − rate)-quantile. Scores that are groups of their own give the usual
    conformal rule, the ⌈(K + 1)(1 − rate)⌉-th smallest. Where K < 1/rate − 1 it is the largest,
    which holds `resolved_rate` only. NaN of no scores.

    Args:
        scores: [W]; NaN where there is none.
        rate: Share of false alarms.
        groups: [W]; windows of one group are alike, the groups are exchangeable.
    """
    there = ~np.isnan(scores)
    if not there.any():
        return math.nan
    _, group, size = np.unique(groups[there], return_inverse=True, return_counts=True)
    order = np.argsort(scores[there], kind="stable")
    mass = np.cumsum(1.0 / size[group[order]])
    # The tolerance is for sums that come out an ulp below a whole number.
    rank = int(np.searchsorted(mass, (len(size) + 1) * (1.0 - rate) - 1e-9))
    return float(scores[there][order[min(rank, len(order) - 1)]])


def resolved_rate(held_out: int, rate: float) -> float:
    """Return the false-alarm rate that so many held-out groups can promise: 1/(n + 1) at best."""
    return max(rate, 1.0 / (held_out + 1))


def wilson_interval(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (E. B. Wilson, JASA 22, 1927); 0 to 1 of no trials."""
    if not trials:
        return 0.0, 1.0
    found = binomtest(hits, trials).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def smoothed(
    scores: NDArray[np.float64], windows: pd.DataFrame, stride_s: float, smoothing: float
) -> NDArray[np.float64]:
    """Return the exponentially weighted mean of one score over consecutive windows.

    s_t = smoothing · s_{t−1} + (1 − smoothing) · x_t. It begins anew where the machine changes or
    a window is missing; a window without a score (NaN) has none, and is passed over.

    Args:
        scores: [W].
        windows: The W rows of the window table, of each machine in order of time.
        stride_s: Distance between two windows.
        smoothing: 0 leaves the scores as they are.
    """
    if not smoothing:
        return scores
    start = microseconds(windows["start"])
    machine = windows["equipment_id"].to_numpy()
    result, state = scores.copy(), math.nan
    for row, score in enumerate(scores):
        gap = row > 0 and start[row] - start[row - 1] > round(stride_s * 1e6)
        if row == 0 or gap or machine[row] != machine[row - 1]:
            state = math.nan
        if not math.isnan(score):
            state = score if math.isnan(state) else smoothing * state + (1 - smoothing) * score
            result[row] = state
    return result
