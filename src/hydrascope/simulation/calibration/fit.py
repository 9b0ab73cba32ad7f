"""The most probable unknowns, given what was recorded."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from hydrascope.simulation.calibration.errors import Errors
from hydrascope.simulation.calibration.forward import ForwardModel

Values = NDArray[np.float64]

_NARROWEST, _WIDEST, _WIDTH = 0.1, 1.0, 2.0
"""The reach of a difference: so many standard deviations that an unknown has if all others are
known, but within these of the prior. Narrower ones measure how rough the numbers are."""
_ENOUGH = 1.0
"""A decrease of the cost that is not worth another step."""
_DAMPINGS = (0.0, 0.01, 0.1, 1.0, 10.0, 100.0)
"""The dampings of a step. All are tried, and the best one is taken. A try costs one simulation of
each window. New slopes cost two for each unknown."""
_TOLD = 1.02
"""The precision of an unknown up to which the data tell nothing of it, so its slope is kept."""


class Fit(NamedTuple):
    """The most probable unknowns."""

    unknowns: Values
    """[U]"""
    covariance: Values
    """[U, U], of the unknowns afterwards (Laplace's approximation)."""
    expected: Values
    """[W, F], the numbers that are expected with them."""


class Search:
    """The search for the unknowns for which the recorded numbers and the prior are most probable.

    It minimises  |C^(−1/2) (recorded − expected(u))|² + |u|²  by Gauss–Newton steps with central
    differences, damped as K. Levenberg and D. Marquardt do.

    Args:
        model: The machine.
        recorded: [W, F], NaN where unknown.
        start: [U], where it begins.
        advance: Called after each unknown and each step.
    """

    def __init__(
        self, model: ForwardModel, recorded: Values, start: Values, advance: Callable[[], None]
    ) -> None:
        self._model, self._recorded, self._advance = model, recorded, advance
        self._known = np.isfinite(recorded)
        self._low, self._high = model.unknowns.bounds()
        self.unknowns: Values = np.clip(start, self._low, self._high)
        self._widths = np.full(len(start), _WIDEST)
        self._rows = np.zeros((2, len(start), *recorded.shape))
        self._update_slopes(np.arange(len(start)))

    def improve(self, errors: Errors, steps: int) -> None:
        """Take so many steps at most, with these errors of the numbers."""
        root = self._root(errors)
        rest = self._off(root, errors, self.unknowns)
        cost = float(rest @ rest + self.unknowns @ self.unknowns)
        stalled = False
        for _ in range(steps):
            slopes = self._slopes(root)
            precision = _precision(slopes)
            middle = self.unknowns
            right = slopes.mean(axis=0).T @ rest - middle
            before = cost
            for damping in _DAMPINGS:
                damped = precision + damping * np.diag(np.diag(precision))
                tried = np.clip(middle + np.linalg.solve(damped, right), self._low, self._high)
                tried_rest = self._off(root, errors, tried)
                tried_cost = float(tried_rest @ tried_rest + tried @ tried)
                if tried_cost < cost:
                    self.unknowns, rest, cost = tried, tried_rest, tried_cost
            self._widths = np.clip(_WIDTH / np.sqrt(np.diag(precision)), _NARROWEST, _WIDEST)
            self._update_slopes(np.flatnonzero(np.diag(precision) > _TOLD))
            # A step that gains nothing may be due to slopes that were measured too widely.
            if stalled and before - cost < _ENOUGH:
                break
            stalled = before - cost < _ENOUGH

    def result(self, errors: Errors) -> Fit:
        """Return what was found, with the covariance (JᵀC⁻¹J + 1)⁻¹ for the slope J there."""
        self._update_slopes(np.arange(len(self.unknowns)))
        precision = _precision(self._slopes(self._root(errors)))
        covariance = np.linalg.inv(precision).astype(np.float64)
        expected = self._model.predicted(self.unknowns) + errors.bias
        return Fit(self.unknowns, covariance, expected)

    def _root(self, errors: Errors) -> Values:
        return np.linalg.cholesky(errors.covariance(self._known)).astype(np.float64)

    def _off(self, root: Values, errors: Errors, unknowns: Values) -> Values:
        expected = self._model.predicted(unknowns) + errors.bias
        self._advance()
        return _whitened(root, (self._recorded - expected)[self._known])

    def _slopes(self, root: Values) -> Values:
        """Return the slope of the known numbers by each of two runs [2, K, U]."""
        return np.stack([_whitened(root, rows[:, self._known].T) for rows in self._rows])

    def _update_slopes(self, wanted: NDArray[np.int64]) -> None:
        for unknown in wanted:
            windows = self._model.unknowns.windows_of(int(unknown))
            ends = np.tile(self.unknowns, (2, 1))
            middle, width = self.unknowns[unknown], self._widths[unknown]
            ends[0, unknown] = max(self._low[unknown], middle - width)
            ends[1, unknown] = min(self._high[unknown], middle + width)
            before, after = (self._model.halves(each, windows) for each in ends)
            change = (after - before) / (ends[1, unknown] - ends[0, unknown])
            self._rows[:, unknown, list(windows)] = change
            self._advance()


def _whitened(root: Values, numbers: Values) -> Values:
    whole: Values = solve_triangular(root, numbers, lower=True)
    return whole


def _precision(slopes: Values) -> Values:
    """Return the precision of the unknowns afterwards [U, U], that of the prior included.

    Numbers are a little rough over the unknowns, so the slope that one run measures has an error,
    which makes it seem steeper. The error of the other run is another, so it drops out of their
    product.
    """
    one, other = slopes
    told = 0.5 * (one.T @ other + other.T @ one)
    values, vectors = np.linalg.eigh(told)
    whole: Values = (vectors * np.maximum(values, 0.0)) @ vectors.T + np.eye(len(told))
    return whole
