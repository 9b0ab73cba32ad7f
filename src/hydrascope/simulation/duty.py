"""What the operator asks of a machine: a cycle of phases, never twice quite the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hydrascope.schemas import SpecError
from hydrascope.schemas.base import Identifier, Number, Positive, Spec, Text
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.solver import Plant

Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]


class Phase(Spec):
    """A part of a cycle."""

    name: Text
    duration_s: Positive
    to: dict[Identifier, Number] = Field(default_factory=dict)
    """Where actuators are to be at its end: shares of a cylinder's stroke, a motor's rad."""
    hold: dict[Identifier, Number] = Field(default_factory=dict)
    """Valve openings from its start on, of actuators that are `open_loop`."""
    process: dict[Identifier, Share] = Field(default_factory=dict)
    """Shares of the process load during the phase; 0 for those not named."""


class Pause(Spec):
    """Rest after so many cycles."""

    every_cycles: Annotated[int, Field(ge=1)]
    duration_s: Positive


class DutyCycle(Spec):
    """The content of a duty file."""

    initial: dict[Identifier, Number]
    """Where each actuator begins; names them all."""
    open_loop: tuple[Identifier, ...] = ()
    """Actuators whose valve is opened by command; the others are positioned."""
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]
    pause: Pause | None = None

    @property
    def duration_s(self) -> float:
        """Of one cycle."""
        return sum(phase.duration_s for phase in self.phases)

    def check(self, circuit: Circuit, source: str) -> None:
        """Refuse names that are no actuators of the machine, and actuators without a beginning."""
        actuators = [section.actuator for section in circuit.sections]
        named = dict.fromkeys(self.initial, "initial")
        for number, phase in enumerate(self.phases):
            named |= dict.fromkeys((*phase.to, *phase.hold, *phase.process), f"phases[{number}]")
        accepted = f"expected actuators of {circuit.machine.topology.id}: {', '.join(actuators)}"
        faults = [f"{path}.{name}: {accepted}" for name, path in named.items()
                  if name not in actuators]  # fmt: skip
        faults += [f"initial.{name}: missing" for name in actuators if name not in self.initial]
        if faults:
            raise SpecError.of(source, faults)


@dataclass(frozen=True)
class Operator:
    """How one machine is worked: factors of the cycle's durations and loads, and their scatter."""

    pace: float
    load: float
    scatter: float
    reach: float = 1.0
    """Of the ways from where an actuator begins, share of the cycle's."""


class Setting(NamedTuple):
    """How a machine is set for a job; its controller says so."""

    pressure: float
    """Of the pump's compensator, share of the nominal one."""
    speed: float
    """Of the pumps of oil, share of the nominal one."""
    reach: float
    """See `Operator.reach`: moulds, parts and programs differ."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Setting":
        """Return that of a job: what is not needed is not asked for (eco modes, variable speed)."""
        return cls(
            pressure=float(rng.uniform(0.6, 1.0)),
            speed=float(rng.uniform(0.6, 1.0)),
            reach=float(rng.uniform(0.6, 1.0)),
        )

    def worked(self, operator: Operator) -> Operator:
        """Return how the machine is worked: a job that needs less force or speed is set to less."""
        return replace(
            operator,
            pace=operator.pace / self.speed,
            load=operator.load * self.pressure,
            reach=self.reach,
        )

    def apply(self, plant: Plant, oil: NDArray[np.bool_]) -> None:
        """Set the pumps [P] that deliver `oil`, in place."""
        plant.pump_cutoff[:, oil] *= self.pressure
        plant.pump_flow[:, oil] *= self.speed


@dataclass
class DutyClock:
    """The references of one machine, generated cycle after cycle as time goes on.

    What it gives does not depend on the pieces it is asked for.
    """

    duty: DutyCycle
    actuators: tuple[str, ...]
    operator: Operator
    rng: np.random.Generator
    _time_s: list[float] = field(default_factory=lambda: [0.0])
    _target: list[list[float]] = field(default_factory=list)
    _until_s: list[float] = field(default_factory=list)
    _process: list[list[float]] = field(default_factory=list)
    _cycles: int = 0

    def __post_init__(self) -> None:
        self._target.append([self.duty.initial[name] for name in self.actuators])

    def references(self, times_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Return targets and process loads [steps, A] at ascending times, later ones each call."""
        while self._time_s[-1] <= times_s[-1]:
            self._add_cycle()
        knots = np.array(self._target)
        target = np.stack([np.interp(times_s, self._time_s, column) for column in knots.T], axis=-1)
        process = np.array(self._process)[np.searchsorted(self._until_s, times_s, side="right")]
        self._forget(float(times_s[-1]))
        return target, process

    def _add_cycle(self) -> None:
        scatter = self.operator.scatter
        pace, load = np.exp(scatter * self.rng.standard_normal(2))
        reach = (
            0.3 * scatter * self.rng.standard_normal((len(self.duty.phases), len(self.actuators)))
        )
        for phase, off in zip(self.duty.phases, reach, strict=True):
            if phase.hold:
                self._add(1e-3, phase.hold, phase.process, load)
            moved = {}
            for name, value in phase.to.items():
                begin = self.duty.initial[name]
                way = self.operator.reach * (value - begin)
                moved[name] = begin + way + off[self.actuators.index(name)]
            self._add(phase.duration_s * self.operator.pace * pace, moved, phase.process, load)
        self._cycles += 1
        pause = self.duty.pause
        if pause and self._cycles % pause.every_cycles == 0:
            self._add(pause.duration_s * float(np.exp(self.rng.normal(0.0, 0.3))), {}, {}, load)

    def _add(
        self,
        duration_s: float,
        to: Mapping[str, float],
        process: Mapping[str, float],
        load: float,
    ) -> None:
        before = self._target[-1]
        self._time_s.append(self._time_s[-1] + duration_s)
        self._until_s.append(self._time_s[-1])
        self._target.append([to.get(n, v) for n, v in zip(self.actuators, before, strict=True)])
        share = self.operator.load * load
        self._process.append([share * process.get(name, 0.0) for name in self.actuators])

    def _forget(self, time_s: float) -> None:
        """Drop what lies before `time_s`, so that memory stays flat."""
        past = int(np.searchsorted(self._until_s, time_s, side="right"))
        del self._until_s[:past], self._process[:past], self._time_s[:past], self._target[:past]
