"""Volume and energy are conserved to 0.1 % over duty cycles; halving the step changes little."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plants import meter

from hydrascope.schemas.duty import PumpCommand
from hydrascope.simulation.build import Build, load_kind, read_build
from hydrascope.simulation.duty import CycleKnots, Operator, ReferenceGenerator
from hydrascope.simulation.fleet_settings import KINDS
from hydrascope.simulation.fluid import ATMOSPHERE_PA, BULK_MODULUS_PA
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.recording import STEP_S
from hydrascope.simulation.solver import MAX_STROKE, Reference, State, advance, empty_state

PRESS = Path(__file__).parents[3] / "examples" / "press"
OWN = ("press", "press with commands of its pump")


def build_of(kind: str) -> Build:
    """Return one of `KINDS` or `OWN`."""
    if kind in KINDS:
        return load_kind(kind)
    press = read_build(PRESS / "press.yaml", PRESS / "duty.yaml")
    if kind == OWN[0]:
        return press
    slow, weak = PumpCommand(speed=0.5), PumpCommand(pressure=0.9)
    phases = [phase.model_copy(update={"pumps": {"pump": slow if number % 2 else weak}})
              for number, phase in enumerate(press.duty.phases)]  # fmt: skip
    duty = press.duty.model_copy(update={"phases": tuple(phases)})
    return replace(press, duty=duty, cycle=CycleKnots.of(duty, ("ram",), ("pump",)))


def work(kind: str, step_s: float, seconds: float) -> tuple[np.ndarray, State, State]:
    """Run a machine as built; return the record at 10 Hz and the states before and after."""
    build = build_of(kind)
    circuit, cycle = build.circuit, build.cycle
    plant = build_plant(circuit)
    state = empty_state(plant, np.array([45.0]), np.array([40.0]))
    stroke = plant.actuator_stroke
    state.position[:] = cycle.initial * np.where(stroke < MAX_STROKE, stroke, 1.0)
    generator = ReferenceGenerator(cycle, Operator(1.0, 1.0, 0.05), np.random.default_rng(0))
    done = 0
    for length_s in (20.0, seconds):
        before = State(*(values.copy() for values in state))
        steps = round(length_s / step_s)
        target, process, pumps = generator.commands(step_s * (np.arange(done, done + steps) + 0.5))
        done += steps
        reference = Reference(target[None], process[None], cycle.open_loop, pumps[None])
        record = advance(circuit.wiring, plant, state, reference, step_s, round(0.1 / step_s))
    return record[0], before, state


@pytest.mark.parametrize("kind", [*KINDS, *OWN])
def test_energy_and_volume_are_conserved_over_a_duty_cycle(kind: str) -> None:
    _, before, after = work(kind, STEP_S, 2 * build_of(kind).duty.duration_s)
    plant = build_plant(build_of(kind).circuit)
    flows = ("shaft_j", "heat_j", "work_j", "from_tank_m3", "to_tank_m3", "unsolved")
    spent = {name: meter(after, name) - meter(before, name) for name in flows}
    stored_j = stored(build_of(kind), plant, after) - stored(build_of(kind), plant, before)
    energy_out = spent["heat_j"] + spent["work_j"] + stored_j
    assert energy_out == pytest.approx(spent["shaft_j"], rel=1e-3)
    moved = (after.position - before.position) @ np.diff(-plant.actuator_area[0], axis=-1)
    held = held_m3(build_of(kind), plant, after) - held_m3(build_of(kind), plant, before)
    volume_out = spent["to_tank_m3"] + held + float(moved.sum())
    assert volume_out == pytest.approx(spent["from_tank_m3"], rel=1e-3)
    assert spent["unsolved"] == 0


def gas(build: object, plant: object, state: State) -> list[tuple[float, float, float, float]]:
    circuit = build.circuit  # type: ignore[attr-defined]
    return [
        (
            state.pressure[0, circuit.node[name, "outlet"]] + ATMOSPHERE_PA,
            plant.gas_volume[0, k],  # type: ignore[attr-defined]
            plant.gas_precharge[0, k] + ATMOSPHERE_PA,  # type: ignore[attr-defined]
            plant.gas_exponent[0, k],  # type: ignore[attr-defined]
        )
        for k, name in enumerate(circuit.accumulators)
    ]


def stored(build: object, plant: object, state: State) -> float:
    """∫ p dV of oil, air and gas in closed form, and the kinetic energy, in J."""
    p, volume, air = state.pressure[0], plant.node_volume[0], plant.oil[0, 3]  # type: ignore[attr-defined]
    ratio = (p + ATMOSPHERE_PA) / ATMOSPHERE_PA
    oil = volume * (
        p**2 / (2 * BULK_MODULUS_PA) + air * ATMOSPHERE_PA * (np.log(ratio) - 1 + 1 / ratio)
    )
    energy = float(oil.sum() + 0.5 * (plant.actuator_inertia * state.velocity**2).sum())  # type: ignore[attr-defined]
    for pressure, v0, p0, n in gas(build, plant, state):
        # ∫ (p − p_atm) dV_oil with V_gas = V₀ (p₀/p)^(1/n)
        v = v0 * (p0 / pressure) ** (1 / n)
        polytropic = (pressure * v - p0 * v0) / (n - 1)
        energy += polytropic - ATMOSPHERE_PA * (v0 - v)
    return energy


def held_m3(build: object, plant: object, state: State) -> float:
    p, volume, air = state.pressure[0], plant.node_volume[0], plant.oil[0, 3]  # type: ignore[attr-defined]
    oil = volume * (p / BULK_MODULUS_PA + air * p / (p + ATMOSPHERE_PA))
    return float(oil.sum()) + sum(
        v0 * (1 - (p0 / pressure) ** (1 / n)) for pressure, v0, p0, n in gas(build, plant, state)
    )


@pytest.mark.parametrize("kind", [*KINDS, OWN[0]])
def test_halving_the_step_changes_the_signals_by_less_than_a_percent(kind: str) -> None:
    """Root mean square of one-second means, as a share of the signal's span.

    Left out are chambers: one that a closed valve traps holds whatever the last stop left in it.
    """
    whole, *_ = work(kind, STEP_S, 60.0)
    half, *_ = work(kind, STEP_S / 2, 60.0)
    seconds = [record.reshape(60, 10, -1).mean(axis=1) for record in (whole, half)]
    span = np.ptp(whole, axis=0) + 0.01 * np.abs(whole).max(axis=0) + 1e-12
    change = np.sqrt(((seconds[0] - seconds[1]) ** 2).mean(axis=0)) / span
    circuit = build_of(kind).circuit
    chambers = {node for (_, port), node in circuit.node.items() if port in ("a", "b")}
    seen = [column for column in range(len(change)) if column not in chambers]
    assert change[seen].max() < 0.01
