"""The commands of a machine from its duty, cycle after cycle, and what differs between them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas.duty import DutyCycle, Pause, PumpCommand, SettingRange
from hydrascope.simulation.solver import Plant

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SWITCH_S = 1e-3
"""The time in which the command of a valve's opening changes."""


@dataclass(frozen=True)
class Operator:
    """The habits of an operator: factors of the cycle's durations and loads, and their scatter."""

    pace: float
    load: float
    scatter: float
    reach: float = 1.0
    """The share of the cycle's travel from the initial position."""


class Setting(NamedTuple):
    """The setting of a machine for a job, which its controller reports."""

    pressure: float
    """The cut-off pressure of the pumps of oil, as a share of the nominal one."""
    speed: float
    """The speed of the pumps of oil, as a share of the nominal one."""
    reach: float
    """The share of the cycle's travel, see `Operator.reach`: moulds, parts and programs differ."""

    @classmethod
    def draw(cls, within: SettingRange, rng: np.random.Generator) -> "Setting":
        """Return the setting of a job."""
        return cls(
            pressure=float(rng.uniform(*within.pressure)),
            speed=float(rng.uniform(*within.speed)),
            reach=float(rng.uniform(*within.reach)),
        )

    def adapt(self, operator: Operator) -> Operator:
        """Return the operator for this setting, with loads and pace reduced in proportion."""
        return replace(
            operator,
            pace=operator.pace / self.speed,
            load=operator.load * self.pressure,
            reach=self.reach,
        )

    def apply(self, plant: Plant, oil: NDArray[np.bool_]) -> None:
        """Set the pumps that deliver oil, where `oil` [P] is true; changes `plant` in place."""
        plant.pump_cutoff[:, oil] *= self.pressure
        plant.pump_flow[:, oil] *= self.speed


class Commands(NamedTuple):
    """The commands and loads of a machine.

    Shapes: steps, A actuators, P pumps.
    """

    target: Floats
    """[steps, A], positions, or openings of valves."""
    process: Floats
    """[steps, A], shares of the process load."""
    pumps: Floats
    """[steps, P, 2], cut-off pressure and speed as shares of those that are set."""


class CycleKnots(NamedTuple):
    """A duty cycle as arrays. Targets are linear in time between its knots.

    Shapes: K knots after the start of the cycle, A actuators, P pumps.
    """

    initial: Floats
    """[A], the positions at which the actuators begin."""
    open_loop: Integers
    """[A], 1 where the valve's opening is commanded, 0 where the position is."""
    phase: Integers
    """[K], the number of the phase."""
    switched: NDArray[np.bool_]
    """[K], whether the knot ends the switching of valves at the start of a phase, not the phase."""
    duration_s: Floats
    """[K], the nominal time since the previous knot."""
    value: Floats
    """[K, A], the commands; NaN where the last one holds."""
    source: Integers
    """[K, A], the knot of the last command, counted from 1; 0 is the start of the cycle."""
    process: Floats
    """[K, A], the shares of the process load since the previous knot."""
    pumps: Floats
    """[K, P, 2], the commands of pumps since the previous knot."""
    pause: Pause | None

    @property
    def start(self) -> Floats:
        """[A], the commands before the first one: the initial positions, or closed valves."""
        return np.where(self.open_loop == 1, 0.0, self.initial)

    @classmethod
    def of(cls, duty: DutyCycle, actuators: Sequence[str], pumps: Sequence[str]) -> Self:
        """Return a duty's cycle as arrays; actuators and pumps give the orders of the axes."""
        rows = []
        for number, phase in enumerate(duty.phases):
            if phase.hold:
                rows.append((number, True, _SWITCH_S, phase.hold, phase.process))
            rows.append((number, False, phase.duration_s, phase.to, phase.process))
        phases, switched, durations_s, commands, processes = zip(*rows, strict=True)
        value = np.array([[each.get(name, np.nan) for name in actuators] for each in commands])
        given = np.arange(1, len(rows) + 1)[:, None] * np.isfinite(value)
        return cls(
            initial=np.array([duty.initial[name] for name in actuators]),
            open_loop=np.array([int(name in duty.open_loop) for name in actuators]),
            phase=np.array(phases),
            switched=np.array(switched),
            duration_s=np.array(durations_s),
            value=value,
            source=np.maximum.accumulate(given, axis=0),
            process=np.array([[each.get(name, 0.0) for name in actuators] for each in processes]),
            pumps=_pump_commands(duty, pumps)[list(phases)],
            pause=duty.pause,
        )


def _pump_commands(duty: DutyCycle, pumps: Sequence[str]) -> Floats:
    """Return the commands of pumps [phases, P, 2], each held until the next of the same pump."""
    held = np.ones((len(duty.phases), len(pumps), 2))
    for column, pump in enumerate(pumps):
        given = [phase.pumps[pump] for phase in duty.phases if pump in phase.pumps]
        last = given[-1] if given else PumpCommand()
        for row, phase in enumerate(duty.phases):
            last = phase.pumps.get(pump, last)
            held[row, column] = last.pressure, last.speed
    return held


class ReferenceGenerator:
    """Targets and process loads of one machine, generated cycle after cycle.

    They do not depend on how the time is divided into calls.

    Args:
        cycle: The duty cycle.
        operator: The operator, for the setting of the machine.
        rng: The source of all scatter.
    """

    def __init__(self, cycle: CycleKnots, operator: Operator, rng: np.random.Generator) -> None:
        self._cycle, self._operator, self._rng = cycle, operator, rng
        self._cycles = 0
        self._time_s = np.zeros(1)
        self._target = cycle.start[None]
        # From each knot to the next:
        self._process = np.zeros((0, len(cycle.initial)))
        self._pumps = np.zeros((0, *cycle.pumps.shape[1:]))

    def commands(self, times_s: Floats) -> Commands:
        """Return commands and loads at ascending times [steps], later ones each call."""
        while self._time_s[-1] <= times_s[-1]:
            self._add_cycle()
        knot = np.searchsorted(self._time_s[1:], times_s, side="right")
        slope = np.diff(self._target, axis=0) / np.diff(self._time_s)[:, None]
        target = slope[knot] * (times_s - self._time_s[knot])[:, None] + self._target[knot]
        process, pumps = self._process[knot], self._pumps[knot]
        past = knot[-1]  # is dropped, so that memory does not grow
        self._time_s, self._target = self._time_s[past:], self._target[past:]
        self._process, self._pumps = self._process[past:], self._pumps[past:]
        return Commands(target, process, pumps)

    def _add_cycle(self) -> None:
        cycle, operator, rng = self._cycle, self._operator, self._rng
        pace, load = np.exp(operator.scatter * rng.standard_normal(2))
        phases = int(cycle.phase[-1]) + 1
        error = 0.3 * operator.scatter * rng.standard_normal((phases, len(cycle.initial)))
        travel = operator.reach * (cycle.value - cycle.initial)
        moved = cycle.initial + travel + error[cycle.phase]
        moved = np.where(cycle.open_loop == 1, cycle.value, moved)
        rows = np.concatenate(
            [self._target[-1:], np.where(cycle.switched[:, None], cycle.value, moved)]
        )
        self._append(
            np.where(cycle.switched, cycle.duration_s, cycle.duration_s * operator.pace * pace),
            np.take_along_axis(rows, cycle.source, axis=0),
            operator.load * load * cycle.process,
            cycle.pumps,
        )
        self._cycles += 1
        if cycle.pause and self._cycles % cycle.pause.every_cycles == 0:
            rest_s = cycle.pause.duration_s * np.exp(rng.normal(0.0, 0.3))
            idle = np.zeros_like(self._target[-1:])
            self._append(np.array([rest_s]), self._target[-1:], idle, cycle.pumps[-1:])

    def _append(self, duration_s: Floats, target: Floats, process: Floats, pumps: Floats) -> None:
        later_s = np.cumsum(np.concatenate([self._time_s[-1:], duration_s]))[1:]
        self._time_s = np.concatenate([self._time_s, later_s])
        self._target = np.concatenate([self._target, target])
        self._process = np.concatenate([self._process, process])
        self._pumps = np.concatenate([self._pumps, pumps])
