"""Cycles of simulated rigs that differ in their values, sound or with faults."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas.signal import Signal
from hydrascope.simulation.build import Build
from hydrascope.simulation.calibration.forward import span
from hydrascope.simulation.calibration.parameters import moved_machine, parameters_of
from hydrascope.simulation.channels import RATE_HZ, Channel
from hydrascope.simulation.circuit import Circuit, build_circuit
from hydrascope.simulation.duty import CycleKnots, Operator, Setting
from hydrascope.simulation.fleet import usual_hysteresis
from hydrascope.simulation.instruments import ACCURACY
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.recording import WARM_UP_S, Job, observe
from hydrascope.simulation.solver import Plant
from hydrascope.telemetry.rig.faults import degrade, opens_late_s
from hydrascope.telemetry.rig.severities import GRADES

SAMPLE_HZ = 1.0
"""The rate of the means that are read, as of the real rig's set in the package."""
_PER_SECOND = 0.2
"""What is left out anew each second, as a share of what is left out of a whole recording."""

Values = NDArray[np.float64]


class Rig(NamedTuple):
    """A sound rig."""

    build: Build
    circuit: Circuit
    plant: Plant
    """[1, …] each."""


class State(NamedTuple):
    """What a rig is like during a cycle."""

    severity: Mapping[str, float]
    """By component as in `GRADES`."""
    ambient_c: float
    """The temperature of the air."""
    late_s: float = 0.0
    """How late the cycle is, compared with the clock of the recording."""


SOUND = dict.fromkeys(GRADES, 0.0)
"""The severities of a sound rig."""


def draw_rig(build: Build, spread: float, rng: np.random.Generator) -> Rig:
    """Return a rig whose values differ from the file by `spread` times their own spreads."""
    parameters = parameters_of(build, {})
    by = spread * rng.standard_normal(len(parameters))
    circuit = build_circuit(moved_machine(build.circuit.machine, parameters, by.tolist()))
    plant = build_plant(circuit)
    plant.valve_stiction[0] = usual_hysteresis(circuit)
    return Rig(build, circuit, plant)


def cycle(rig: Rig, state: State) -> dict[str, Values]:
    """Return what perfect sensors measure in one cycle, as means of each second, by sensor id."""
    duty_s = rig.build.duty.duration_s
    late_s = opens_late_s(rig.circuit, rig.plant, state.severity)
    job = Job(
        opened_late(rig.build.cycle, late_s), Operator(pace=1.0, load=1.0, scatter=0.0),
        Setting(1.0, 1.0, 1.0), state.ambient_c, np.random.default_rng(0), -WARM_UP_S % duty_s,
    )  # fmt: skip

    def plant_at(_begin_s: float) -> Plant:
        plant = Plant(*(values.copy() for values in rig.plant))
        degrade(rig.circuit, plant, state.severity)
        return plant

    observations = list(observe(rig.circuit, plant_at, job, duty_s))
    seconds = round(duty_s * SAMPLE_HZ)
    found = {}
    times_s = (np.arange(round(duty_s * RATE_HZ)) + 0.5) / RATE_HZ
    for channel in rig.build.channels:
        truth = np.concatenate([channel.truth(each) for each in observations])
        shifted = np.interp(times_s - state.late_s, times_s, truth, period=duty_s)
        found[channel.sensor.id] = shifted.reshape(seconds, -1).mean(axis=1)
    return found


def opened_late(knots: CycleKnots, late_s: float) -> CycleKnots:
    """Return a cycle in which every valve opens late, and closes as before.

    Args:
        knots: The cycle. Valves that open are closed in the phase before.
        late_s: How late; shorter than the phases.
    """
    duration_s = knots.duration_s.copy()
    for knot in np.flatnonzero(knots.switched[1:]) + 1:
        before = knots.value[knots.source[knot - 1] - 1]
        if (np.abs(knots.value[knot]) > np.abs(before)).any():
            duration_s[knot - 1] += late_s
            duration_s[knot + 1] -= late_s
    return knots._replace(duration_s=duration_s)


def measured(
    channel: Channel, truth: Values, model_error: float, rng: np.random.Generator
) -> Signal:
    """Return what a sensor measures.

    Args:
        channel: The sensor.
        truth: What a perfect one would, [seconds].
        model_error: See `SimulatedRigs`.
        rng: The source of errors.
    """
    noise = np.hypot(_PER_SECOND * model_error, ACCURACY[channel.sensor.kind].noise)
    off = model_error * rng.standard_normal() + noise * rng.standard_normal(truth.shape)
    assert channel.sensor.range is not None
    within = np.clip(truth + span(channel) * off, *channel.sensor.range)
    return Signal(within.astype(np.float32), SAMPLE_HZ)
