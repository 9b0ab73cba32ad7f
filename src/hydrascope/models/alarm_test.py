"""The alarm test: whether the scores of a machine's windows, taken together, mean a fault.

It is a cumulative sum (E. S. Page, Biometrika 41, 1954) of the logarithms of the scores:

    s ← min(max(s + min(log(score / threshold) / width, 0.45), 0), 2)

There is an alarm while s is above 1. A score at its threshold says nothing, one above it speaks for
a fault, one below against it. The width is the sum of logarithms that makes an alarm. No window
counts for more than 0.45, so an alarm takes three windows at least. The sum ends at 2, so that an
alarm ends soon after a repair. Evaluation, the thresholds' fit and the watch all use this function.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DEVIATIONS = 8.0
"""The width in deviations of the logarithm of a healthy machine's scores.

It was chosen on simulated machines of other seeds than those of the results; 4 to 12 found about as
many faults."""
_MOST_OF_ONE = 0.45
_HIGHEST = 2.0
_LEAST = 1e-12
"""The smallest share; a score of 0 has no logarithm."""


class AlarmTest(NamedTuple):
    """The test of one level of scores.

    Attributes:
        width: The sum of logarithms that makes an alarm.
    """

    width: float

    def step(self, total: Floats, share: Floats) -> Floats:
        """Return the sums after one more window.

        Args:
            total: The sums before, 0 at first, of any shape.
            share: The window's scores as multiples of their thresholds; NaN changes nothing.
        """
        gain = np.log(np.maximum(share, _LEAST)) / self.width
        after = np.clip(total + np.minimum(gain, _MOST_OF_ONE), 0.0, _HIGHEST)
        return np.where(np.isnan(share), total, after)

    def run(self, shares: Floats) -> Floats:
        """Return the sums after each window, [..., W]; NaN where a window has no score.

        Args:
            shares: The scores of consecutive windows as multiples of their thresholds, [..., W].
        """
        totals, total = np.empty_like(shares), np.zeros(shares.shape[:-1])
        for window in range(shares.shape[-1]):
            total = self.step(total, shares[..., window])
            totals[..., window] = total
        return np.where(np.isnan(shares), np.nan, totals)


def mean_since_quiet(values: Floats, totals: Floats) -> Floats:
    """Return the mean of what the windows say that a sum has come from, [..., W].

    These are the windows since the sum was last 0. An alarm is about all of them, not only about
    the one in which it begins.

    Args:
        values: A number of each window, [..., W]; NaN for a window without one.
        totals: The sums after each window, of the same shape.

    Returns:
        NaN where the sum is 0, and where none of these windows has a number.
    """
    known = ~np.isnan(values)
    total = np.cumsum(np.where(known, values, 0.0), axis=-1)
    count = np.cumsum(known, axis=-1)
    quiet = np.where(totals == 0.0, np.arange(totals.shape[-1]), -1)
    last = np.maximum.accumulate(quiet, axis=-1)
    begun = np.maximum(last, 0)
    for each in (total, count):
        each -= np.where(last >= 0, np.take_along_axis(each, begun, axis=-1), 0).astype(each.dtype)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def alarm_begins(totals: Floats) -> NDArray[np.bool_]:
    """Return whether an alarm begins with a window, [..., W]."""
    known, over = ~np.isnan(totals), totals > 1.0
    # The last window with a score before each one; −1: there is none.
    last = np.where(known, np.arange(totals.shape[-1]), -1)
    last = np.maximum.accumulate(last, axis=-1)
    before = np.concatenate([np.full((*totals.shape[:-1], 1), -1), last[..., :-1]], axis=-1)
    was_over = np.take_along_axis(over, np.maximum(before, 0), axis=-1) & (before >= 0)
    begins: NDArray[np.bool_] = over & ~was_over
    return begins
