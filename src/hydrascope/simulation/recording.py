"""Run one machine for a while and read its sensors, piece by piece."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydrascope.simulation.duty import DutyClock, Setting
from hydrascope.simulation.fleet import Member, load_kind
from hydrascope.simulation.instruments import Instrument
from hydrascope.simulation.sensors import true_signal
from hydrascope.simulation.solver import ENDLESS, Plant, Reference, State, advance, empty_state

STEP_S = 0.05
"""Of the solver: halving it moves one-second means by less than 1 % (tests hold it)."""
RATE_HZ = 10.0
"""Of what is recorded; sensors have this rate or a whole part of it."""
WARM_UP_S = 45.0
WARM_UP_SPEED = 80.0
"""Before a recording the machine works for so long with heat capacities so much smaller: an hour
of warming up."""
PIECE_S = 60.0
_EVERY = round(1.0 / (STEP_S * RATE_HZ))


@dataclass
class Run:
    """A machine at work: call `pieces` once.

    Args:
        member: The machine.
        recording: Number of the recording; another one differs in duty and weather.
        hour: Operating hours at its start; faults grow from minute to minute.
    """

    member: Member
    recording: int
    hour: float

    def pieces(self, seconds: float) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Yield the sensors' values of a minute after the other, by sensor id."""
        kind = load_kind(self.member.kind)
        topology = kind.machine.topology
        instruments = [
            Instrument(sensor, self.member.seed, self.recording, self.hour)
            for _, sensor in topology.sensors
        ]
        for record, target in self.records(seconds):
            values = {}
            for (number, sensor), instrument in zip(topology.sensors, instruments, strict=True):
                truth = true_signal(
                    kind.circuit, self.plant, self.setting, topology.components[number].id, sensor,
                    record, target,
                )  # fmt: skip
                values[sensor.id] = instrument.read(truth[:: round(RATE_HZ / sensor.rate_hz)])
            yield values

    def records(self, seconds: float) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Yield what the solver records and what was asked for, [samples, …] each, by minute."""
        kind = load_kind(self.member.kind)
        circuit, duty = kind.circuit, kind.duty
        actuators = tuple(section.actuator for section in circuit.sections)
        rng = np.random.default_rng((*self.member.seed, self.recording + 1))
        outdoor = self.member.kind == "excavator"
        ambient_c = rng.normal(15.0, 10.0) if outdoor else rng.normal(23.0, 6.0)
        self.setting = Setting.draw(rng)
        self.plant = self._plant_at(self.hour, ambient_c)
        state = empty_state(self.plant, np.array([ambient_c + 20.0]), np.array([ambient_c + 18.0]))
        for number, name in enumerate(actuators):
            stroke = self.plant.actuator_stroke[0, number]
            state.position[0, number] = duty.initial[name] * (stroke if stroke < ENDLESS else 1.0)
        clock = DutyClock(duty, actuators, self.setting.worked(self.member.operator), rng)
        open_loop = np.array([int(name in duty.open_loop) for name in actuators])
        done_s = 0.0

        def run(length_s: float, speed: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            nonlocal done_s
            # What is asked for in the middle of each step: to second order what its mean is.
            steps = np.arange(round(length_s / STEP_S), dtype=np.float64)
            times = done_s + STEP_S * (steps + 0.5)
            done_s += length_s
            target, process = clock.references(times)
            reference = Reference(target[None], process[None], open_loop)
            record = advance(circuit.wiring, self.plant, state, reference, STEP_S, _EVERY, speed)
            return record[0], target[_EVERY - 1 :: _EVERY]

        run(WARM_UP_S, WARM_UP_SPEED)
        self.state: State = state
        for begin_s in np.arange(0.0, seconds - 1e-6, PIECE_S):
            self.plant = self._plant_at(self.hour + begin_s / 3_600.0, ambient_c)
            yield run(min(PIECE_S, seconds - begin_s), 1.0)

    def _plant_at(self, hour: float, ambient_c: float) -> Plant:
        plant = self.member.at(hour)
        plant.thermal[0, 5:] = ambient_c
        self.setting.apply(plant, load_kind(self.member.kind).circuit.wiring.pump_water == 0)
        return plant
