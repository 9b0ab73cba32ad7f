"""All that is fitted: values of the machine, habits of its operator, conditions of each window.

Every unknown is counted in standard deviations from what was known beforehand, so 0 is the machine
as its file and the estimates have it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas.duty import DutyCycle
from hydrascope.simulation.calibration.parameters import Parameter
from hydrascope.simulation.duty import Operator, Setting

Values = NDArray[np.float64]

_UNIFORM = math.sqrt(12.0)
"""The width of a uniform distribution over its standard deviation."""
_FURTHEST = 6.0
"""How many standard deviations an unknown may be moved."""


class Conditions(NamedTuple):
    """What a machine did in a window, and where."""

    operator: Operator
    setting: Setting
    ambient_c: float


class Unknowns:
    """The order and the meaning of the unknowns.

    Args:
        parameters: The values of the machine.
        duty: Its duty.
        windows: How many windows there are.
    """

    def __init__(self, parameters: Sequence[Parameter], duty: DutyCycle, windows: int) -> None:
        self.parameters, self.windows = tuple(parameters), windows
        self._duty = duty
        habits = {"pace": duty.operator.pace, "load": duty.operator.load}
        self.habits = tuple(name for name, spread in habits.items() if spread > 0.0)
        ranges = {name: getattr(duty.setting, name) for name in Setting._fields}
        self._settings = tuple(name for name, (low, high) in ranges.items() if high > low)
        weather = ("ambient_c",) if duty.weather.deviation_c > 0.0 else ()
        self.conditions = (*self._settings, *weather)

    @property
    def shared(self) -> int:
        """How many unknowns all windows share; they come first."""
        return len(self.parameters) + len(self.habits)

    @property
    def size(self) -> int:
        """How many unknowns there are."""
        return self.shared + self.windows * len(self.conditions)

    def of_machine(self, unknowns: Values) -> Values:
        """Return by how much each parameter is moved."""
        return unknowns[: len(self.parameters)]

    def windows_of(self, unknown: int) -> range:
        """Return the windows that an unknown changes."""
        if unknown < self.shared:
            return range(self.windows)
        own = (unknown - self.shared) // len(self.conditions)
        return range(own, own + 1)

    def seen_in(self, window: int) -> NDArray[np.int64]:
        """Return the unknowns that a window depends on: those shared, then its own."""
        own = len(self.conditions)
        return np.append(np.arange(self.shared), self.shared + window * own + np.arange(own))

    def in_window(self, unknowns: Values, window: int) -> Conditions:
        """Return what the machine did in a window."""
        first = self.shared + window * len(self.conditions)
        own = dict(zip(self.conditions, unknowns[first:], strict=False))
        habit = dict(zip(self.habits, unknowns[len(self.parameters) :], strict=False))
        spread, weather = self._duty.operator, self._duty.weather
        operator = Operator(
            pace=math.exp(spread.pace * habit.get("pace", 0.0)),
            load=math.exp(spread.load * habit.get("load", 0.0)),
            scatter=spread.cycle,
        )
        setting = Setting(*(self._set(name, own.get(name, 0.0)) for name in Setting._fields))
        ambient_c = weather.mean_c + weather.deviation_c * own.get("ambient_c", 0.0)
        return Conditions(operator, setting, ambient_c)

    def _set(self, name: str, unknown: float) -> float:
        # As a factor, so that a product with a value of the machine is a sum of logarithms.
        low, high = getattr(self._duty.setting, name)
        middle = 0.5 * (low + high)
        value = middle * math.exp((high - low) / _UNIFORM / middle * unknown)
        return float(min(high, max(low, value)))

    def bounds(self) -> tuple[Values, Values]:
        """Return the lowest and the highest value of each unknown."""
        reach = [each.reach for each in self.parameters]
        own = [self._ends(name) for name in self.conditions]
        ends = np.array([*reach, *[(-np.inf, np.inf)] * len(self.habits), *own * self.windows])
        return np.clip(ends[:, 0], -_FURTHEST, -1e-3), np.clip(ends[:, 1], 1e-3, _FURTHEST)

    def _ends(self, condition: str) -> tuple[float, float]:
        """Return the lowest and the highest value of a condition's unknown."""
        if condition not in self._settings:
            return -math.inf, math.inf
        low, high = getattr(self._duty.setting, condition)
        middle = 0.5 * (low + high)
        spread = (high - low) / _UNIFORM / middle
        return math.log(low / middle) / spread, math.log(high / middle) / spread
