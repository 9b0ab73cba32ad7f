"""Thresholds from a budget of alarms in hours, set on healthy machines that were held out.

Shapes: M streams, each the scores of one machine (or component, or sensor) in order of time, W
windows of the longest.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from hydrascope.models.alarm_test import DEVIATIONS, AlarmTest

Floats = NDArray[np.float64]

_GRID, _ROUNDS = 48, 3
_LEAST_DEVIATION = 1e-6
"""Of logarithms of scores; if all are equal, any width will do."""
_LEAST = 1e-12
"""The smallest score; 0 has no logarithm."""


class Budget(NamedTuple):
    """How many alarms healthy machines may raise.

    Attributes:
        per_1000_h: Alarms in 1,000 machine-hours.
        every_h: Hours from one judged window to the next in use.
    """

    per_1000_h: float
    every_h: float

    def resolved(self, hours: float, units: int) -> float:
        """Return the least rate in 1,000 h that held-out hours can promise; at best the asked.

        Args:
            hours: Of healthy machines that were held out.
            units: The number of machines, or conditions, that they are of.
        """
        if not units:
            return np.inf
        return max(self.per_1000_h, 1000.0 / (hours * (units + 1) / units))

    def allowed(self, hours: float, units: int) -> int:
        """Return how many alarms may begin in the held-out hours; arguments as of `resolved`.

        One more unit, of as many hours as the others on average, is assumed to raise one alarm. So
        the expected rate of a new machine is at most the budget if the held-out machines and it are
        exchangeable and each raises at most one alarm (conformal risk control; A. Angelopoulos et
        al., ICLR 2024).
        """
        with_one_more = hours * (units + 1) / max(units, 1)
        return max(int(self.per_1000_h / 1000.0 * with_one_more + 1e-9) - 1, 0)


def in_streams(
    scores: Floats, machine: NDArray[np.int64], key: NDArray[np.int64]
) -> tuple[Floats, NDArray[np.int64]]:
    """Arrange scores [R], ordered by time, by machine and key.

    Returns:
        The streams, [M, W], NaN behind the end of each; and the place of each score in them as a
        flat index, [R].
    """
    _, stream = np.unique(np.stack([machine, key]), axis=1, return_inverse=True)
    stream = stream.ravel()
    sizes = np.bincount(stream)
    place = pd.Series(stream).groupby(stream).cumcount().to_numpy(np.int64)
    width = int(sizes.max(initial=0))
    streams = np.full((len(sizes), width), np.nan)
    streams[stream, place] = scores
    return streams, stream * width + place


def alarm_width(scores: Floats) -> float:
    """Return the width of the alarm test for healthy scores, of any shape.

    It is `DEVIATIONS` times the deviation of their logarithms around the median, from the median of
    absolute deviations, so that a few unusual windows do not widen it.
    """
    known = scores[~np.isnan(scores)]
    if not len(known):
        return DEVIATIONS
    logs = np.log(np.maximum(known, _LEAST))
    deviation = 1.4826 * float(np.median(np.abs(logs - np.median(logs))))
    return DEVIATIONS * max(deviation, _LEAST_DEVIATION)


def budget_threshold(streams: Floats, width: float, allowed: int) -> float:
    """Return the lowest threshold at which, and above which, at most `allowed` alarms begin.

    NaN without scores.

    Args:
        streams: The scores of healthy machines, [M, W].
        width: Of the alarm test.
        allowed: The number of alarms.
    """
    known = streams[~np.isnan(streams)]
    if not len(known):
        return float("nan")
    low, high = (float(np.log(max(each, _LEAST))) for each in (known.min(), known.max()))
    for _ in range(_ROUNDS):
        grid = np.linspace(high, low, _GRID)  # at the highest score there is no alarm
        too_many = _alarms(streams, np.exp(grid), AlarmTest(width)) > allowed
        if not too_many.any():
            return float(np.exp(low))
        first = int(too_many.argmax())
        high, low = float(grid[first - 1]), float(grid[first])
    return float(np.exp(high))


def _alarms(streams: Floats, thresholds: Floats, test: AlarmTest) -> NDArray[np.int64]:
    """Return how many alarms begin in all streams at each threshold."""
    total = np.zeros((len(thresholds), len(streams)))
    begun = np.zeros(len(thresholds), dtype=np.int64)
    for scores in streams.T:
        after = test.step(total, scores / thresholds[:, None])
        begun += ((after > 1.0) & (total <= 1.0)).sum(1)
        total = after
    return begun


def poisson_interval(count: int) -> tuple[float, float]:
    """Return the 95 % interval of an expected count (F. Garwood, Biometrika 28, 1936)."""
    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    return low, float(chi2.ppf(0.975, 2 * count + 2)) / 2
