"""What a calibration tells: values with intervals, what is not determined, what is left over."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import Machine
from hydrascope.simulation.calibration.calibrate import Calibration
from hydrascope.simulation.calibration.forward import span
from hydrascope.simulation.calibration.parameters import Parameter, moved_machine

Values = NDArray[np.float64]

INTERVAL = 0.9
_QUANTILE = 1.6449
"""The normal distribution's quantile for `INTERVAL`, both sides."""
DETERMINED = 0.5
"""The spread afterwards, as a share of that beforehand, below which the data determine a value."""
_TOGETHER = 0.7
"""The correlation from which on two values are told only together."""


class Interval(NamedTuple):
    """A value with its `INTERVAL`."""

    low: float
    value: float
    high: float


class Told(NamedTuple):
    """What is known of a nominal value."""

    parameter: Parameter
    before: Interval
    after: Interval
    share: float
    """The spread afterwards as a share of that beforehand; 1: the data tell nothing."""
    together: dict[str, float]
    """The correlations with other values that are as strong as `_TOGETHER`, by key."""

    @property
    def determined(self) -> bool:
        """Whether the data determine it."""
        return self.share < DETERMINED


class Rest(NamedTuple):
    """How far a sensor is from what is expected of it, in its unit: root mean squares of levels."""

    sensor: str
    unit: str
    span: float
    """The width of its range."""
    before: float
    """With the machine file and the estimates."""
    after: float
    """With the calibrated values."""
    left_out: float
    """What neither scatter nor the sensor's own error explains: what the model leaves out."""


def told(found: Calibration) -> list[Told]:
    """Return what is known of every value, those that are determined best first."""
    spreads = np.sqrt(np.diag(found.fit.covariance))
    correlation = found.fit.covariance / np.outer(spreads, spreads)
    parameters = found.model.unknowns.parameters
    every = []
    for number, parameter in enumerate(parameters):
        others = {
            other.key: round(float(correlation[number, column]), 2)
            for column, other in enumerate(parameters)
            if column != number and abs(correlation[number, column]) >= _TOGETHER
        }
        middle, spread = float(found.fit.unknowns[number]), float(spreads[number])
        every.append(
            Told(
                parameter,
                _interval(parameter, 0.0, 1.0),
                _interval(parameter, middle, spread),
                spread,
                others,
            )
        )
    return sorted(every, key=lambda each: each.share)


def _interval(parameter: Parameter, middle: float, spread: float) -> Interval:
    reach = _QUANTILE * spread
    ends = sorted(parameter.moved(middle + by) for by in (-reach, reach))
    return Interval(ends[0], parameter.moved(middle), ends[1])


def conditions(found: Calibration) -> dict[str, list[float]]:
    """Return what the machine did in each window, as found."""
    unknowns = found.model.unknowns
    every = [unknowns.in_window(found.fit.unknowns, each) for each in range(unknowns.windows)]
    return {
        "pace": [round(each.operator.pace, 3) for each in every],
        "load": [round(each.operator.load, 3) for each in every],
        "pressure": [round(each.setting.pressure, 3) for each in every],
        "speed": [round(each.setting.speed, 3) for each in every],
        "reach": [round(each.setting.reach, 3) for each in every],
        "ambient_c": [round(each.ambient_c, 1) for each in every],
    }


def rests(found: Calibration) -> list[Rest]:
    """Return how far each sensor is from what is expected, before and after."""
    layout, levels = found.model.layout, found.model.layout.levels()
    every = []
    for number, channel in enumerate(found.model.channels):
        own = np.zeros(layout.size, dtype=bool)
        own[layout.of(number)] = True
        own &= levels
        before, after = (
            float(np.sqrt(np.nanmean((found.recorded - expected)[:, own] ** 2)))
            for expected in (found.before, found.fit.expected)
        )
        left = float(np.median(found.left_out.shared[own]))
        sensor = channel.sensor
        every.append(Rest(sensor.id, sensor.unit, span(channel), before, after, left))
    return every


def residual(found: Calibration) -> tuple[float, float]:
    """Return the root mean square over the sensors, in % of range, before and after."""
    every = rests(found)
    before, after = (
        100.0 * float(np.sqrt(np.mean([(value / each.span) ** 2 for each, value in pairs])))
        for pairs in (
            [(each, each.before) for each in every],
            [(each, each.after) for each in every],
        )
    )
    return before, after


def calibrated_machine(found: Calibration) -> Machine:
    """Return the machine with all values, those that were calibrated at their most probable."""
    unknowns = found.model.unknowns
    by = unknowns.of_machine(found.fit.unknowns).tolist()
    return moved_machine(found.model.build.circuit.machine, unknowns.parameters, by)
