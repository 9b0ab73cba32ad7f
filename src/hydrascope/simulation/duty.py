"""The commands of a machine from its duty, cycle after cycle, and what differs between them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import ComponentType, SpecError
from hydrascope.schemas.duty import DutyCycle, Pause, PumpCommand, SettingRange
from hydrascope.schemas.errors import closest
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.limits import supply_limit
from hydrascope.simulation.solver import Plant

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SWITCH_S = 1e-3
"""The time in which the command of a valve's opening changes."""


def check_duty(duty: DutyCycle, circuit: Circuit, source: str) -> None:
    """Check that a duty can be that of a machine.

    Raises:
        SpecError: A name is no actuator of the machine, an actuator has no initial position, a
            command is beyond what it can be, or a load is more than the pressure can move.
    """
    faults = [f"initial.{name}: missing" for name in circuit.actuators if name not in duty.initial]
    for path, commands in _commands(duty):
        for name, value in commands.items():
            if message := _wrong(circuit, duty, path, name, value):
                faults.append(f"{path}.{name}: {message}")
    faults += _wrong_pumps(circuit, duty)
    if faults:
        raise SpecError(*faults, source=source)


def _wrong(circuit: Circuit, duty: DutyCycle, path: str, actuator: str, value: float) -> str:
    """Return what is wrong with a command or a load; nothing if it is accepted."""
    known, topology = circuit.actuators, circuit.machine.topology.id
    if actuator not in known:
        return f"expected actuators of {topology}: {', '.join(known)}{closest(actuator, known)}"
    if path.endswith("process"):
        return _too_heavy(circuit, actuator, value)
    if path.endswith("hold") and actuator not in duty.open_loop:
        return "expected one of open_loop"
    if path != "initial" and actuator in duty.open_loop:
        low, expected = -1.0, "an opening of the valve, -1 to 1"
    elif circuit.kinds[actuator] == ComponentType.CYLINDER:
        low, expected = 0.0, "a share of the stroke, 0 to 1"
    else:
        return ""
    return "" if low <= value <= 1.0 else f"{value:g} is not accepted; expected {expected}"


def _wrong_pumps(circuit: Circuit, duty: DutyCycle) -> Iterator[str]:
    """Yield what is wrong with commands of pumps."""
    for number, phase in enumerate(duty.phases):
        for name, command in phase.pumps.items():
            path = f"phases[{number}].pumps.{name}"
            if name not in circuit.pumps:
                known = ", ".join(circuit.pumps)
                yield f"{path}: expected pumps: {known}{closest(name, circuit.pumps)}"
            elif command.pressure < 1.0 and math.isinf(circuit.values[name]["cutoff_bar"]):
                yield f"{path}.pressure: {name} has no cutoff_bar that could be commanded"


def _too_heavy(circuit: Circuit, actuator: str, process: float) -> str:
    """Return why an actuator cannot move its load; nothing if it can."""
    values = circuit.values[actuator]
    shares = values["load_share"] + values["friction_share"] + process * values["process_share"]
    needed_bar = values["work_bar"] * shares
    valve = circuit.sections[circuit.actuators.index(actuator)].valve
    limit = supply_limit(circuit, valve)
    if needed_bar <= limit.pressure_bar:
        return ""
    return (
        f"{actuator} needs {needed_bar:.3g} bar for its load, but {limit.component} lets its "
        f"pressure rise to {limit.pressure_bar:g} bar"
    )


def _commands(duty: DutyCycle) -> Iterator[tuple[str, Mapping[str, float]]]:
    yield "initial", duty.initial
    yield "open_loop", dict.fromkeys(duty.open_loop, 0.0)
    for number, phase in enumerate(duty.phases):
        for name in ("to", "hold", "process"):
            yield f"phases[{number}].{name}", getattr(phase, name)


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
