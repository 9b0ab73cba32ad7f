"""The most probable unknowns, given what was recorded."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from hydrascope.simulation.calibration.errors import Errors
from hydrascope.simulation.calibration.forward import ForwardModel

Values = NDArray[np.float64]

_STEP = 0.1
"""The step of the differences, in standard deviations of an unknown."""
_NARROWEST, _WIDEST, _WIDTH = 0.1, 1.0, 2.0
_TRIES = 6
_TOLD = 1.02
"""The precision of an unknown up to which the data tell nothing of it, so its slope is kept."""
_ENOUGH = 1.0
"""A decrease of the cost that is not worth another step."""


class Fit(NamedTuple):
    """The most probable unknowns."""

    unknowns: Values
    """[U]"""
    covariance: Values
    """[U, U], of the unknowns afterwards (Laplace's approximation)."""
    slope: Values
    """[K, U], of the K known numbers, in standard deviations of their errors."""
    expected: Values
    """[W, F], the numbers that it expects, with the bias of scatter."""
    cost: float
    """The minimum: squared residuals in standard deviations, and those of the prior."""


def fit(
    model: ForwardModel,
    recorded: Values,
    errors: Errors,
    start: Values,
    steps: int,
    advance: Callable[[], None] = lambda: None,
) -> Fit:
    """Find the unknowns for which the recorded numbers and the prior are most probable.

    Minimises  |C^(−1/2) (recorded − expected(u))|² + |u|²  by Gauss–Newton steps with central
    differences; a step that makes it worse is halved. The covariance afterwards is (JᵀJ + 1)⁻¹
    with the slope J at the end (Laplace's approximation).

    Args:
        model: The machine.
        recorded: [W, F], NaN where unknown.
        errors: The errors of these numbers.
        start: [U], where it begins.
        steps: The most steps.
        advance: Called after each simulation of all windows.
    """
    known = np.isfinite(recorded)
    root = np.linalg.cholesky(errors.covariance(known))
    low, high = model.unknowns.bounds()

    def whitened(numbers: Values) -> Values:
        whole: Values = solve_triangular(root, numbers, lower=True)
        return whole

    def off(unknowns: Values) -> Values:
        expected = model.predicted(unknowns) + errors.bias
        advance()
        return whitened((recorded - expected)[known])

    def slopes(unknowns: Values, widths: Values, wanted: NDArray[np.int64]) -> Values:
        """Return the slope over some unknowns by each of two runs [2, K, U]."""
        rows = np.zeros((2, model.unknowns.size, *recorded.shape))
        for unknown in wanted:
            windows = model.unknowns.windows_of(unknown)
            ends = np.tile(unknowns, (2, 1))
            ends[0, unknown] = max(low[unknown], unknowns[unknown] - widths[unknown])
            ends[1, unknown] = min(high[unknown], unknowns[unknown] + widths[unknown])
            width = ends[1, unknown] - ends[0, unknown]
            before, after = (model.halves(each, windows) for each in ends)
            rows[:, unknown, list(windows)] = (after - before) / width
            advance()
        return np.stack([whitened(each[:, known].T) for each in rows])

    unknowns = np.clip(start, low, high)
    rest = off(unknowns)
    cost = float(rest @ rest + unknowns @ unknowns)
    widths, damping = np.full(len(unknowns), _WIDEST), 0.0
    every = np.arange(len(unknowns))
    steep = slopes(unknowns, widths, every)
    for step in range(steps):
        precision = _precision(steep)
        widths = np.clip(_WIDTH / np.sqrt(np.diag(precision)), _NARROWEST, _WIDEST)
        right = steep.mean(axis=0).T @ rest - unknowns
        before = cost
        for _ in range(_TRIES):
            move = np.linalg.solve(precision + damping * np.diag(np.diag(precision)), right)
            tried = np.clip(unknowns + move, low, high)
            tried_rest = off(tried)
            tried_cost = float(tried_rest @ tried_rest + tried @ tried)
            if tried_cost < cost:
                unknowns, rest, cost = tried, tried_rest, tried_cost
                damping *= 0.1
                break
            damping = max(10.0 * damping, 0.01)
        if step > 0 and before - cost < _ENOUGH:
            break
        told = every[np.diag(precision) > _TOLD]
        steep[..., told] = slopes(unknowns, widths, told)[..., told]
    steep = slopes(unknowns, widths, every)
    covariance = np.linalg.inv(_precision(steep))
    return Fit(unknowns, covariance, steep, model.predicted(unknowns) + errors.bias, cost)


def _precision(slopes: Values) -> Values:
    """Return the precision of the unknowns afterwards [U, U], that of the prior included.

    Numbers are a little rough over the unknowns, so a slope has an error that makes it seem steeper.
    That of two runs is not the same, so it drops out of their product.
    """
    one, other = slopes
    told = 0.5 * (one.T @ other + other.T @ one)
    values, vectors = np.linalg.eigh(told)
    whole: Values = (vectors * np.maximum(values, 0.0)) @ vectors.T + np.eye(len(told))
    return whole
