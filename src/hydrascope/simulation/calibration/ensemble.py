"""A first guess of the unknowns, by machines drawn at random.

Far from the solution the numbers of a window depend on the unknowns in no simple way, and windows
of one machine do not tell how those of another scatter. So machines are drawn from what is known
beforehand, and a window of each is simulated with its scatter. A linear regression of its numbers
on the unknowns gives a slope. Its residuals are an error in which scatter and curvature count
(statistical linearisation: Á. F. García-Fernández et al., "Posterior linearization filter", IEEE
Trans. Signal Process. 63, 2015).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hydrascope.simulation.calibration.errors import least_error
from hydrascope.simulation.calibration.forward import ForwardModel

Values = NDArray[np.float64]

MACHINES = 900
"""How many machines are drawn."""
_CAUTION = 4.0
"""The factor of the error's variance: the slope has an error, too."""
_RIDGE = 1.0
"""The weight of a slope of 0 in the regression, in machines."""


def first_guess(
    model: ForwardModel, recorded: Values, seed: int, advance: Callable[[], None]
) -> Values:
    """Return unknowns [U] near those for which `recorded` [W, F] is probable.

    Args:
        model: The machine.
        recorded: The numbers of the windows; NaN where unknown.
        seed: The seed of the draws.
        advance: Called after each simulated window.
    """
    rng = np.random.default_rng(seed)
    unknowns = model.unknowns
    low, high = unknowns.bounds()
    drawn = np.clip(rng.standard_normal((MACHINES, unknowns.size)), low, high)
    windows = np.arange(MACHINES) % unknowns.windows
    simulated = []
    for one, window in zip(drawn, windows, strict=True):
        simulated.append(model.scattered(one, int(window), rng))
        advance()
    guess: Values = _regressed(model, recorded, drawn, windows, np.array(simulated))
    return np.clip(guess, low, high)


def _regressed(
    model: ForwardModel,
    recorded: Values,
    drawn: Values,
    windows: NDArray[np.int64],
    simulated: Values,
) -> Values:
    """Return the mean of the unknowns [U], given what was recorded."""
    unknowns = model.unknowns
    columns = [unknowns.seen_in(window) for window in range(unknowns.windows)]
    seen = np.array([one[columns[window]] for one, window in zip(drawn, windows, strict=True)])
    centre, level = seen.mean(axis=0), simulated.mean(axis=0)
    off, rise = simulated - level, seen - centre
    slope = np.linalg.solve(rise.T @ rise + _RIDGE * np.eye(rise.shape[1]), rise.T @ off).T
    rest = off - rise @ slope.T
    error = rest.T @ rest / max(1, len(rest) - rise.shape[1]) + np.diag(least_error(model) ** 2)
    error *= _CAUTION
    precision, right = np.eye(unknowns.size), np.zeros(unknowns.size)
    for window, own in enumerate(columns):
        known = np.isfinite(recorded[window])
        weighted = np.linalg.solve(error[np.ix_(known, known)], slope[known]).T
        precision[np.ix_(own, own)] += weighted @ slope[known]
        right[own] += weighted @ ((recorded[window] - level)[known] + slope[known] @ centre)
    return np.linalg.solve(precision, right).astype(np.float64)
