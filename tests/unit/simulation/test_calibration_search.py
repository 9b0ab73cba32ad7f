"""The search of a calibration finds what an independent solver finds, and ends once it settles."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from scipy.optimize import least_squares

from hydrascope.simulation.calibration.calibrate import settled
from hydrascope.simulation.calibration.errors import Errors
from hydrascope.simulation.calibration.fit import Search, Values
from hydrascope.simulation.calibration.forward import ForwardModel

ERROR = 0.05
TRUE = np.array([1.8, -1.2])


class Bent:
    """A window of three numbers that bend so much that undamped steps overshoot."""

    def __init__(self) -> None:
        self.tried = 0
        ends = np.full(2, 6.0)
        self.unknowns = SimpleNamespace(
            bounds=lambda: (-ends, ends), windows=1, windows_of=lambda _: range(1)
        )

    def predicted(self, unknowns: Values) -> Values:
        self.tried += 1
        return self.halves(unknowns)[0]

    def halves(self, unknowns: Values, _windows: Iterable[int] | None = None) -> Values:
        one, other = unknowns
        row = np.array([np.exp(1.5 * one), np.tanh(other) * np.exp(one), one + 2.0 * other])
        return np.broadcast_to(row, (2, 1, 3)).copy()


def errors() -> Errors:
    nothing = np.zeros(3)
    return Errors(nothing, ERROR**2 * np.eye(3), np.zeros((2, 1, 3)), nothing, nothing, nothing)


def search(steps: int) -> Search:
    model = Bent()
    found = Search(cast(ForwardModel, model), model.predicted(TRUE), np.zeros(2), lambda: None)
    found.improve(errors(), steps)
    return found


def cost(unknowns: Values, recorded: Values) -> float:
    rest = (Bent().predicted(unknowns) - recorded).ravel() / ERROR
    return float(rest @ rest + unknowns @ unknowns)


def test_the_search_finds_what_an_independent_solver_finds() -> None:
    recorded = Bent().predicted(TRUE)

    def rests(unknowns: Values) -> Values:
        return np.append((Bent().predicted(unknowns) - recorded).ravel() / ERROR, unknowns)

    oracle = least_squares(rests, TRUE).x
    np.testing.assert_allclose(search(20).unknowns, oracle, atol=0.02)


def test_no_step_makes_the_fit_worse() -> None:
    recorded = Bent().predicted(TRUE)
    costs = [cost(search(steps).unknowns, recorded) for steps in range(8)]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < 0.01 * costs[0]


@pytest.mark.parametrize(
    ("sizes", "done"),
    [
        ([3.0, 2.0], False),
        ([3.0, 3.0, 3.0], False),  # errors are estimated three times in any case
        ([3.0, 2.0, 1.0, 0.8], False),
        ([3.0, 2.0, 1.0, 0.96], True),
        ([3.0, 2.0, 1.0, 1.1], True),
    ],
)
def test_rounds_end_when_the_residual_hardly_falls(sizes: list[float], done: bool) -> None:
    assert settled(sizes) is done
