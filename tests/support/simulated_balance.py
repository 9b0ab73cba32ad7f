"""What a simulated machine holds in closed form, and how well its balances close.

Shapes: of `hydrascope.simulation.solver`, for one machine.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from hydrascope.simulation.build import Build
from hydrascope.simulation.duty import Operator, ReferenceGenerator
from hydrascope.simulation.fluid import ATMOSPHERE_PA, BULK_MODULUS_PA
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.recording import STEP_S
from hydrascope.simulation.solver import (
    MAX_STROKE,
    METERS,
    Plant,
    Reference,
    State,
    advance,
    empty_state,
)


class Balance(NamedTuple):
    """How well the balances of a machine at work close, and how it fared."""

    energy: float
    """What leaves or stays less what the shafts put in, as a share of that."""
    volume: float
    """What returns to the tank or stays less what leaves it, as a share of that."""
    unsolved: int
    """The number of steps without a solution."""
    record: np.ndarray
    """[samples, signals] at 10 Hz, see `solver.advance`."""


def balance(build: Build, seconds: float) -> Balance:
    """Let a machine of a build work, and close its balances over all but the first 20 s."""
    record, before, after = work(build, STEP_S, seconds)
    plant = build_plant(build.circuit)
    spent = {name: float(after.meter[0, n] - before.meter[0, n]) for n, name in enumerate(METERS)}
    kept_j = stored_j(build, plant, after) - stored_j(build, plant, before)
    out_j = spent["heat_j"] + spent["work_j"] + kept_j
    swept = (after.position - before.position) @ np.diff(-plant.actuator_area[0], axis=-1)
    kept_m3 = held_m3(build, plant, after) - held_m3(build, plant, before)
    out_m3 = spent["to_tank_m3"] + kept_m3 + float(swept.sum())
    return Balance(
        out_j / spent["shaft_j"] - 1.0,
        out_m3 / spent["from_tank_m3"] - 1.0,
        round(spent["unsolved"]),
        record,
    )


def work(build: Build, step_s: float, seconds: float) -> tuple[np.ndarray, State, State]:
    """Run a machine as built; return the record at 10 Hz and the states before and after.

    Before are 20 s in which it starts.
    """
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


def halving_change(build: Build) -> float:
    """Return how much half the step changes a minute's signals, the worst of them.

    That is the root mean square change of one-second means, as a share of the signal's span. Left
    out are chambers: one that a closed valve traps holds whatever the last stop left in it.
    """
    whole, *_ = work(build, STEP_S, 60.0)
    half, *_ = work(build, STEP_S / 2, 60.0)
    seconds = [record.reshape(60, 10, -1).mean(axis=1) for record in (whole, half)]
    span = np.ptp(whole, axis=0) + 0.01 * np.abs(whole).max(axis=0) + 1e-12
    change = np.sqrt(((seconds[0] - seconds[1]) ** 2).mean(axis=0)) / span
    chambers = {node for (_, port), node in build.circuit.node.items() if port in ("a", "b")}
    seen = [column for column in range(len(change)) if column not in chambers]
    return float(change[seen].max())


def stored_j(build: Build, plant: Plant, state: State) -> float:
    """Return ∫ p dV of oil, air and gas in closed form, and the kinetic energy."""
    p, volume, air = state.pressure[0], plant.node_volume[0], plant.oil[0, 3]
    ratio = (p + ATMOSPHERE_PA) / ATMOSPHERE_PA
    oil = volume * (
        p**2 / (2 * BULK_MODULUS_PA) + air * ATMOSPHERE_PA * (np.log(ratio) - 1 + 1 / ratio)
    )
    energy = float(oil.sum() + 0.5 * (plant.actuator_inertia * state.velocity**2).sum())
    for pressure, v0, p0, n in _gas(build, plant, state):
        # ∫ (p − p_atm) dV_oil with V_gas = V₀ (p₀/p)^(1/n)
        v = v0 * (p0 / pressure) ** (1 / n)
        energy += (pressure * v - p0 * v0) / (n - 1) - ATMOSPHERE_PA * (v0 - v)
    return energy


def held_m3(build: Build, plant: Plant, state: State) -> float:
    """Return the oil that nodes and accumulators take up under pressure, in closed form."""
    p, volume, air = state.pressure[0], plant.node_volume[0], plant.oil[0, 3]
    oil = volume * (p / BULK_MODULUS_PA + air * p / (p + ATMOSPHERE_PA))
    gas = (v0 * (1 - (p0 / p) ** (1 / n)) for p, v0, p0, n in _gas(build, plant, state))
    return float(oil.sum()) + sum(gas)


def _gas(build: Build, plant: Plant, state: State) -> Iterator[tuple[float, float, float, float]]:
    """Yield pressure, volume, precharge (absolute) and exponent of each accumulator.

    One with less pressure than its precharge holds no oil: its gas stays at the precharge.
    """
    for k, name in enumerate(build.circuit.accumulators):
        precharge = plant.gas_precharge[0, k]
        pressure = max(state.pressure[0, build.circuit.node[name, "outlet"]], precharge)
        yield (pressure + ATMOSPHERE_PA, plant.gas_volume[0, k], precharge + ATMOSPHERE_PA,
               plant.gas_exponent[0, k])  # fmt: skip
