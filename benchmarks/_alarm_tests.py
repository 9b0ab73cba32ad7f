"""Tests over the windows of a machine that an alarm could follow, compared on the same scores.

Shapes: M machines, W windows.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hydrascope.models.alarm_test import alarm_begins
from hydrascope.tasks.score_runs import running_median

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
_STEPS = 60


def median(count: int, scores: Floats) -> Floats:
    """Return the median of each score and those before it; a run of `count`."""
    found = np.stack([running_median(each, count) for each in scores])
    return np.where(np.isnan(found), -np.inf, found)


def ewma(share: float, scores: Floats) -> Floats:
    """Return an exponentially weighted mean from 0 on (S. Roberts, Technometrics 1, 1959)."""
    found, mean = np.empty_like(scores), np.zeros(len(scores))
    for window, each in enumerate(scores.T):
        mean = (1.0 - share) * mean + share * each
        found[:, window] = mean
    return found


def cusum(allowance: float, most: float, scores: Floats) -> Floats:
    """Return a cumulative sum of scores less an allowance (E. S. Page, Biometrika 41, 1954).

    No score counts for more than `most`.
    """
    found, total = np.empty_like(scores), np.zeros(len(scores))
    for window, each in enumerate(scores.T):
        total = np.maximum(total + np.minimum(each, most) - allowance, 0.0)
        found[:, window] = total
    return found


def martingale(power: float, log_p: Floats) -> Floats:
    """Return the logarithm of a power martingale of conformal p-values, begun anew at 1.

    D. Volkhonskiy et al., "Inductive conformal martingales for change-point detection", COPA 2017.
    """
    return cusum(0.0, np.inf, np.log(power) + (power - 1.0) * log_p)


OF_LOGS: Mapping[str, Statistic] = {
    **{f"median of {count}": partial(median, count) for count in (1, 5, 9, 15, 25)},
    **{f"EWMA, weight {share:g}": partial(ewma, share) for share in (0.3, 0.15, 0.08, 0.04)},
    **{
        f"CUSUM, allowance {allowance:g}": partial(cusum, allowance, np.inf)
        for allowance in (0.25, 0.5, 1.0)
    },
    **{
        f"CUSUM, allowance {allowance:g}, at most 3.6 a window": partial(cusum, allowance, 3.6)
        for allowance in (0.25, 0.5, 1.0)
    },
}
"""Tests of standardised logarithms of scores."""
OF_P_VALUES: Mapping[str, Statistic] = {
    f"conformal martingale, power {power:g}": partial(martingale, power)
    for power in (0.1, 0.3, 0.5, 0.7)
}
"""Tests of the logarithms of conformal p-values."""


def log_p_values(held_out: Floats, scores: Floats) -> Floats:
    """Return the logarithms of conformal p-values against held-out scores."""
    ordered = np.sort(held_out)
    above = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.log((above + 1.0) / (len(ordered) + 1.0))


def standardised(held_out: Floats, scores: Floats) -> Floats:
    """Return logarithms in deviations from the median of held-out ones."""
    logs = np.log(held_out)
    middle = np.median(logs)
    return (np.log(scores) - middle) / (1.4826 * np.median(np.abs(logs - middle)))


def limit(sound: Floats, allowed: float) -> float:
    """Return the lowest limit that sound machines exceed at most so often, by bisection.

    Args:
        sound: The statistic, [M, W].
        allowed: The number of alarms that may begin.
    """
    finite = sound[np.isfinite(sound)]
    low, high = float(finite.min()), float(finite.max())
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        begun = int(alarm_begins(1.0 + sound - middle).sum())
        low, high = (low, middle) if begun <= allowed else (middle, high)
    return high


def found_before(growing: Floats, above: float, severity: Floats, most: float) -> NDArray[np.bool_]:
    """Return whether an alarm begins while the severity is below `most`, [M]."""
    return ((growing > above) & (severity < most)).any(1)
