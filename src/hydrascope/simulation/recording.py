"""Run machines and read their sensors, piece by piece."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydrascope.simulation.channels import PIECE_S, RATE_HZ, Channel
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.duty import Commands, CycleKnots, Operator, ReferenceGenerator, Setting
from hydrascope.simulation.fleet import Member
from hydrascope.simulation.instruments import SensorGroup
from hydrascope.simulation.sensors import Observation
from hydrascope.simulation.solver import MAX_STROKE, Plant, Reference, advance, empty_state

STEP_S = 0.05
"""The step of the solver; halving it moves one-second means by less than 1 % (a test holds it)."""
WARM_UP_S = 45.0
"""The time that a machine works before a recording."""
WARM_UP_SPEEDUP = 80.0
"""The divisor of the heat capacities in that time: it warms up as in an hour."""
_EVERY = round(1.0 / (STEP_S * RATE_HZ))


@dataclass(frozen=True)
class Run:
    """One machine at work.

    Args:
        member: The machine.
        recording: The number of the recording; others differ in duty, setting and weather.
        hour: The operating hours at its start; faults grow from piece to piece.
    """

    member: Member
    recording: int
    hour: float

    def pieces(self, seconds: float) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Yield the readings of all simulated sensors by id, `PIECE_S` after `PIECE_S`."""
        by_rate: dict[float, list[Channel]] = defaultdict(list)
        for channel in self.member.build.channels:
            by_rate[channel.sensor.rate_hz].append(channel)
        groups = {
            rate_hz: SensorGroup(
                [each.sensor for each in carried], self.member.seed, self.recording, self.hour
            )
            for rate_hz, carried in by_rate.items()
        }
        for observation in self.observations(seconds):
            readings: dict[str, NDArray[np.float32]] = {}
            for rate_hz, carried in by_rate.items():
                every = round(RATE_HZ / rate_hz)
                truth = [each.truth(observation)[::every] for each in carried]
                read = groups[rate_hz].read(np.stack(truth))
                readings |= {each.sensor.id: row for each, row in zip(carried, read, strict=True)}
            yield readings

    def observations(self, seconds: float) -> Iterator[Observation]:
        """Yield what the solver records, `PIECE_S` after `PIECE_S`."""
        build = self.member.build
        rng = np.random.default_rng((*self.member.seed, self.recording + 1))
        ambient_c = rng.normal(build.duty.weather.mean_c, build.duty.weather.deviation_c)
        setting = Setting.draw(build.duty.setting, rng)
        job = Job(build.cycle, self.member.operator, setting, ambient_c, rng)
        yield from observe(build.circuit, self._plant_at, job, seconds)

    def _plant_at(self, begin_s: float) -> Plant:
        """Return the physical values a time after the start of the recording."""
        return self.member.plant_at(self.hour + begin_s / 3_600.0)


@dataclass(frozen=True)
class Job:
    """What a machine does, and where, during a recording."""

    cycle: CycleKnots
    operator: Operator
    setting: Setting
    ambient_c: float
    """The temperature of air and coolant."""
    rng: np.random.Generator
    """The source of all scatter between cycles."""
    begin_s: float = 0.0
    """The time of the duty at which the machine begins to work, `WARM_UP_S` before a recording."""


def observe(
    circuit: Circuit, plant_at: Callable[[float], Plant], job: Job, seconds: float
) -> Iterator[Observation]:
    """Run one machine; yield what the solver records, `PIECE_S` after `PIECE_S`.

    Args:
        circuit: The machine's network.
        plant_at: Its values a time in s after the start of the recording; new ones each call.
        job: What it does.
        seconds: The length of the recording.
    """
    cycle, setting, ambient_c = job.cycle, job.setting, job.ambient_c

    def plant_now(begin_s: float) -> Plant:
        plant = plant_at(begin_s)
        plant.thermal[0, 5:] = ambient_c
        setting.apply(plant, circuit.wiring.pump_water == 0)
        return plant

    plant = plant_now(0.0)
    state = empty_state(plant, np.array([ambient_c + 20.0]), np.array([ambient_c + 18.0]))
    stroke = plant.actuator_stroke
    state.position[:] = cycle.initial * np.where(stroke < MAX_STROKE, stroke, 1.0)
    generator = ReferenceGenerator(cycle, setting.adapt(job.operator), job.rng)
    done_s = job.begin_s

    def run(length_s: float, thermal_speedup: float) -> Observation:
        nonlocal done_s
        # A value at the middle of a step is its mean to second order.
        steps = np.arange(round(length_s / STEP_S), dtype=np.float64)
        commands = generator.commands(done_s + STEP_S * (steps + 0.5))
        done_s += length_s
        target, process, pumps = commands
        reference = Reference(target[None], process[None], cycle.open_loop, pumps[None])
        record = advance(circuit.wiring, plant, state, reference, STEP_S, _EVERY, thermal_speedup)
        recorded = Commands(*(each[_EVERY - 1 :: _EVERY] for each in commands))
        return Observation(circuit, plant, setting, record[0], recorded, cycle.open_loop)

    run(WARM_UP_S, WARM_UP_SPEEDUP)
    for begin_s in np.arange(0.0, seconds - 1e-6, PIECE_S):
        if begin_s > 0.0:
            plant = plant_now(begin_s)
        yield run(min(PIECE_S, seconds - begin_s), 1.0)
