"""Simulated machines with known nominal values, and windows of their telemetry."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hydrascope.schemas.signal import Signal
from hydrascope.simulation.build import Build
from hydrascope.simulation.calibration.parameters import (
    Parameter,
    moved_machine,
    parameters_of,
)
from hydrascope.simulation.circuit import build_circuit
from hydrascope.simulation.duty import Operator
from hydrascope.simulation.fleet import Member, usual_hysteresis
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.recording import Run


class Known(NamedTuple):
    """A machine whose values are known."""

    member: Member
    parameters: Sequence[Parameter]
    truth: np.ndarray
    """By how many spreads each value differs from that of the machine file."""


def draw_known(build: Build, number: int, seed: int) -> Known:
    """Return a machine whose values differ from its file as far as their spreads say.

    Its entrained air, the hysteresis of its valves, its operator and its sensors' errors are drawn
    as those of the fleet. It has no fault and no wear.
    """
    rng = np.random.default_rng((seed, number))
    parameters = parameters_of(build, {})
    truth = rng.standard_normal(len(parameters))
    machine = moved_machine(build.circuit.machine, parameters, truth.tolist())
    truth = np.array([p.distance(p.moved(x)) for p, x in zip(parameters, truth, strict=True)])
    circuit = build_circuit(machine)
    plant = build_plant(circuit)
    plant.oil[0, 3] = rng.uniform(0.003, 0.02)
    usual = np.array(usual_hysteresis(circuit))
    plant.valve_stiction[0] = usual * np.exp(rng.normal(0.0, 0.12, usual.shape))
    spread = build.duty.operator
    operator = Operator(
        pace=float(np.exp(rng.normal(0.0, spread.pace))),
        load=float(np.exp(rng.normal(0.0, spread.load))),
        scatter=spread.cycle,
    )
    other = replace(build, circuit=circuit, nominal=plant)
    name = f"{build.name}_{number}"
    member = Member(name, other, machine, operator, 0.0, plant, 0.0, (), (seed, number))
    return Known(member, parameters, truth)


def recorded(known: Known, windows: int, window_s: float) -> list[dict[str, Signal]]:
    """Return windows of its telemetry, each of a recording of its own."""
    rates = {each.sensor.id: each.sensor.rate_hz for each in known.member.build.channels}
    found = []
    for number in range(windows):
        # A window begins somewhere in the duty, not with it.
        skipped = 1 + number % 3
        pieces = list(Run(known.member, number, 0.0).pieces(60.0 * skipped + window_s))[skipped:]
        found.append(
            {name: Signal(np.concatenate([each[name] for each in pieces]), rate)
             for name, rate in rates.items()}
        )  # fmt: skip
    return found
