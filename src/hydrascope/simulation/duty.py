"""The duty of a machine: a cycle of phases, which varies from one time to the next."""

from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hydrascope.schemas import SpecError
from hydrascope.schemas.base import Identifier, Number, Positive, Spec, Text
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.solver import Plant

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]

_SWITCH_S = 1e-3
"""The time in which the command of a valve's opening changes."""


class Phase(Spec):
    """A part of a cycle."""

    name: Text
    duration_s: Positive
    to: dict[Identifier, Number] = Field(default_factory=dict)
    """The targets at the end of the phase: shares of a cylinder's stroke, or a motor's rad."""
    hold: dict[Identifier, Number] = Field(default_factory=dict)
    """The valve openings of `open_loop` actuators from the start of the phase on."""
    process: dict[Identifier, Share] = Field(default_factory=dict)
    """The shares of the process load during the phase; 0 for actuators that are not named."""


class Pause(Spec):
    """A rest after so many cycles."""

    every_cycles: Annotated[int, Field(ge=1)]
    duration_s: Positive


class DutyCycle(Spec):
    """The content of a duty file."""

    initial: dict[Identifier, Number]
    """The position at which each actuator begins; names all actuators."""
    open_loop: tuple[Identifier, ...] = ()
    """The actuators whose valve opening is commanded; of the others the position is."""
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]
    pause: Pause | None = None

    @property
    def duration_s(self) -> float:
        """The nominal duration of one cycle."""
        return sum(phase.duration_s for phase in self.phases)

    def check(self, circuit: Circuit, source: str) -> None:
        """Check the names of actuators.

        Raises:
            SpecError: A name is no actuator of the machine, or an actuator has no initial position.
        """
        actuators = circuit.actuators
        named = dict.fromkeys(self.initial, "initial")
        for number, phase in enumerate(self.phases):
            named |= dict.fromkeys((*phase.to, *phase.hold, *phase.process), f"phases[{number}]")
        accepted = f"expected actuators of {circuit.machine.topology.id}: {', '.join(actuators)}"
        faults = [f"{path}.{name}: {accepted}" for name, path in named.items()
                  if name not in actuators]  # fmt: skip
        faults += [f"initial.{name}: missing" for name in actuators if name not in self.initial]
        if faults:
            raise SpecError(*faults, source=source)

    def knots(self, actuators: tuple[str, ...]) -> "CycleKnots":
        """Return the cycle as arrays; `actuators` gives their order on the axis A."""
        rows = []
        for number, phase in enumerate(self.phases):
            if phase.hold:
                rows.append((number, True, _SWITCH_S, phase.hold, phase.process))
            rows.append((number, False, phase.duration_s, phase.to, phase.process))
        phases, switched, durations_s, commands, processes = zip(*rows, strict=True)
        value = np.array([[each.get(name, np.nan) for name in actuators] for each in commands])
        given = np.arange(1, len(rows) + 1)[:, None] * np.isfinite(value)
        return CycleKnots(
            initial=np.array([self.initial[name] for name in actuators]),
            open_loop=np.array([int(name in self.open_loop) for name in actuators]),
            phase=np.array(phases),
            switched=np.array(switched),
            duration_s=np.array(durations_s),
            value=value,
            source=np.maximum.accumulate(given, axis=0),
            process=np.array([[each.get(name, 0.0) for name in actuators] for each in processes]),
            pause=self.pause,
        )


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
    def draw(cls, rng: np.random.Generator) -> "Setting":
        """Return the setting of a job; many need less than the nominal values (eco mode)."""
        return cls(
            pressure=float(rng.uniform(0.6, 1.0)),
            speed=float(rng.uniform(0.6, 1.0)),
            reach=float(rng.uniform(0.6, 1.0)),
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


class CycleKnots(NamedTuple):
    """A duty cycle as arrays. Targets are linear in time between its knots.

    Shapes: K knots after the start of the cycle, A actuators.
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
    pause: Pause | None


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
        self._target = cycle.initial[None]
        self._process = np.zeros((0, len(cycle.initial)))  # from each knot to the next

    def references(self, times_s: Floats) -> tuple[Floats, Floats]:
        """Return targets and process loads [steps, A] at ascending times, later ones each call."""
        while self._time_s[-1] <= times_s[-1]:
            self._add_cycle()
        knot = np.searchsorted(self._time_s[1:], times_s, side="right")
        slope = np.diff(self._target, axis=0) / np.diff(self._time_s)[:, None]
        target = slope[knot] * (times_s - self._time_s[knot])[:, None] + self._target[knot]
        process = self._process[knot]
        past = knot[-1]  # is dropped, so that memory does not grow
        self._time_s, self._target = self._time_s[past:], self._target[past:]
        self._process = self._process[past:]
        return target, process

    def _add_cycle(self) -> None:
        cycle, operator, rng = self._cycle, self._operator, self._rng
        pace, load = np.exp(operator.scatter * rng.standard_normal(2))
        phases = int(cycle.phase[-1]) + 1
        error = 0.3 * operator.scatter * rng.standard_normal((phases, len(cycle.initial)))
        travel = operator.reach * (cycle.value - cycle.initial)
        moved = cycle.initial + travel + error[cycle.phase]
        rows = np.concatenate(
            [self._target[-1:], np.where(cycle.switched[:, None], cycle.value, moved)]
        )
        self._append(
            np.where(cycle.switched, cycle.duration_s, cycle.duration_s * operator.pace * pace),
            np.take_along_axis(rows, cycle.source, axis=0),
            operator.load * load * cycle.process,
        )
        self._cycles += 1
        if cycle.pause and self._cycles % cycle.pause.every_cycles == 0:
            rest_s = cycle.pause.duration_s * np.exp(rng.normal(0.0, 0.3))
            self._append(np.array([rest_s]), self._target[-1:], np.zeros_like(self._target[-1:]))

    def _append(self, duration_s: Floats, target: Floats, process: Floats) -> None:
        later_s = np.cumsum(np.concatenate([self._time_s[-1:], duration_s]))[1:]
        self._time_s = np.concatenate([self._time_s, later_s])
        self._target = np.concatenate([self._target, target])
        self._process = np.concatenate([self._process, process])
