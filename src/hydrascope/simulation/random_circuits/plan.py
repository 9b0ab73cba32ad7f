"""What a random circuit is, before its parts are drawn: pumps, valves and numbers of actuators."""

import math
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from hydrascope.simulation.estimation.series import PREFERRED


class PumpKind(StrEnum):
    """How the delivery of a pump meets what is needed."""

    FIXED = "fixed displacement"
    """The rest flows over a relief valve."""
    COMPENSATED = "pressure-compensated"
    """It destrokes at its cut-off pressure."""
    ON_DEMAND = "flow on demand"
    """It strokes with the openings of the valves, up to its cut-off pressure."""


class PumpPlan(NamedTuple):
    """A pump that delivers to valves."""

    kind: PumpKind
    pressure_bar: float
    flow_l_min: float
    """As wanted; its displacement is the next of the series."""


class Plan(NamedTuple):
    """A circuit before its parts are drawn."""

    mobile: bool
    """Whether a combustion engine drives it."""
    pumps: tuple[PumpPlan, ...]
    joined: bool
    """Whether all pumps deliver to one manifold, not each to valves of its own."""
    one_drive: bool
    """Whether one shaft drives all of them."""
    variable_speed: bool
    """Whether the drive's speed is commanded."""
    valves: tuple[tuple[int, ...], ...]
    """For each feed (a pump, or all of them if joined), the number of actuators of each valve."""
    own_loop: bool
    """Whether a pump of its own filters or cools the oil of the tank."""

    @property
    def pressure_bar(self) -> float:
        """The highest pressure."""
        return max(pump.pressure_bar for pump in self.pumps)


MOST_PUMPS, MOST_ACTUATORS, MOST_AT_VALVE = 3, 8, 4
_PUMPS = (0.5, 0.32, 0.18)
_ACTUATORS = (0.1, 0.15, 0.17, 0.16, 0.14, 0.11, 0.09, 0.08)
"""The shares of circuits with 1, 2, … pumps and actuators."""
_PRESSURES_BAR = [each for each in PREFERRED if 63.0 <= each <= 315.0]
_MOBILE_BAR = [each for each in PREFERRED if 160.0 <= each <= 315.0]
_POWER_KW, _MOBILE_KW = (0.75, 160.0), (15.0, 180.0)
_MOST_FIXED_KW = 22.0
"""Larger pumps of fixed displacement at constant speed would only heat the oil."""
_FLOW_L_MIN = (6.0, 400.0)


def draw_plan(rng: np.random.Generator) -> Plan:
    """Draw what a circuit is."""
    mobile = bool(rng.random() < 0.3)
    count = int(rng.choice(np.arange(1, MOST_PUMPS + 1), p=_PUMPS))
    joined = count > 1 and bool(rng.random() < 0.35)
    variable_speed = not mobile and bool(rng.random() < 0.25)
    power_kw = _log_uniform(rng, *(_MOBILE_KW if mobile else _POWER_KW))
    shares = rng.dirichlet([4.0] * count)
    pressures = _MOBILE_BAR if mobile else _PRESSURES_BAR
    pumps = [_pump(rng, share * power_kw, pressures, mobile, variable_speed) for share in shares]
    if joined:
        pumps = [pumps[0]] * count
    feeds = 1 if joined else count
    total = int(rng.choice(np.arange(1, MOST_ACTUATORS + 1), p=_ACTUATORS))
    return Plan(
        mobile=mobile,
        pumps=tuple(pumps),
        joined=joined,
        one_drive=count > 1 and (mobile or bool(rng.random() < 0.5)),
        variable_speed=variable_speed,
        valves=tuple(_valves(rng, each) for each in _parts(rng, max(total, feeds), feeds)),
        own_loop=count < MOST_PUMPS and bool(rng.random() < (0.1 if mobile else 0.4)),
    )


def _pump(
    rng: np.random.Generator,
    power_kw: float,
    pressures: list[float],
    mobile: bool,
    variable_speed: bool,
) -> PumpPlan:
    pressure_bar = float(rng.choice(pressures))
    flow = min(max(600.0 * power_kw / pressure_bar, _FLOW_L_MIN[0]), _FLOW_L_MIN[1])
    small = flow * pressure_bar / 600.0 <= _MOST_FIXED_KW
    kinds = [PumpKind.COMPENSATED, PumpKind.ON_DEMAND] if mobile else [PumpKind.COMPENSATED]
    if small or variable_speed:
        kinds.append(PumpKind.FIXED)
    return PumpPlan(PumpKind(rng.choice(kinds)), pressure_bar, flow)


def _valves(rng: np.random.Generator, actuators: int) -> tuple[int, ...]:
    least = math.ceil(actuators / MOST_AT_VALVE)
    most = min(actuators, 3)
    while True:
        parts = _parts(rng, actuators, int(rng.integers(least, most + 1)))
        if max(parts) <= MOST_AT_VALVE:
            return parts


def _parts(rng: np.random.Generator, total: int, parts: int) -> tuple[int, ...]:
    """Divide a number into parts of at least one."""
    more = rng.multinomial(total - parts, [1.0 / parts] * parts)
    return tuple(int(each) + 1 for each in more)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))
