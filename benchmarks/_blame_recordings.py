"""Windows of simulated machines with faults of their components: what the blame is learned on.

Beside the nine faults of the fleet, accumulators lose gas, filters clog and drives lose efficiency.
The faults change physical values or, of a drive, what its power sensor sees.

Shapes: W windows, S sensors, B windows that are simulated at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks._blame_builds import Kind
from hydrascope.schemas import ComponentType, SensorKind, SensorSpec
from hydrascope.simulation.channels import RATE_HZ
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.duty import Commands, Operator, ReferenceGenerator, Setting
from hydrascope.simulation.faults import EFFECTS
from hydrascope.simulation.instruments import SensorGroup
from hydrascope.simulation.parameters import DRIVES
from hydrascope.simulation.recording import STEP_S
from hydrascope.simulation.sensors import Observation, true_signal
from hydrascope.simulation.solver import MAX_STROKE, Plant, Reference, advance, empty_state

WINDOW_S = 60
_WARM_UP_S, _SPEEDUP = 30.0, 120.0
_AT_ONCE = 40
_EVERY = round(1.0 / (STEP_S * RATE_HZ))
PRECHARGE, CLOG, DRIVE = "precharge_loss", "filter_clog", "drive_loss"
_MORE_FAULTS: Mapping[str, tuple[ComponentType, ...]] = {
    PRECHARGE: (ComponentType.ACCUMULATOR,),
    CLOG: (ComponentType.FILTER,),
    DRIVE: DRIVES,
}

Floats = NDArray[np.float64]


class Blamed(NamedTuple):
    """The fault of one window, or none."""

    component: str
    fault: str
    severity: float
    """0 to 1; 0 without a fault."""


@dataclass(frozen=True)
class Machine:
    """One machine of a build, and what its windows have in common.

    Attributes:
        kind: The build.
        plant: Its physical values as built, [1, …] each.
        sensors: Its sensors, each with the component that carries it.
        setting: The setting of all windows; None: each has its own.
        operator: Its operator.
        seed: The seed of its sensors' errors.
    """

    kind: Kind
    plant: Plant
    sensors: tuple[tuple[str, SensorSpec], ...]
    setting: Setting | None
    operator: Operator
    seed: tuple[int, ...]


def faults_of(circuit: Circuit) -> dict[str, list[str]]:
    """Return the faults that each component can have; components that can have none are left out.

    Pumps of coolant and drives without a pump have none.
    """
    found: dict[str, list[str]] = {}
    for component in circuit.machine.topology.components:
        name, kind = component.id, component.kind
        if circuit.values[name].get("water") or (kind in DRIVES and not circuit.driven_by(name)):
            continue
        mine = [str(fault) for fault, effect in EFFECTS.items() if kind in effect.kinds]
        mine += [fault for fault, kinds in _MORE_FAULTS.items() if kind in kinds]
        if mine:
            found[name] = mine
    return found


def record(
    machine: Machine, blamed: list[list[Blamed]], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Simulate windows and return what the sensors read, means of seconds, [W, S, WINDOW_S].

    Args:
        machine: The machine.
        blamed: The faults of each window.
        rng: The source of duty, settings and weather.
    """
    parts = [
        _record_at_once(machine, blamed[first : first + _AT_ONCE], first, rng)
        for first in range(0, len(blamed), _AT_ONCE)
    ]
    return np.concatenate(parts)


def _record_at_once(
    machine: Machine, blamed: list[list[Blamed]], first: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    kind = machine.kind
    settings = [machine.setting or Setting.draw(kind.setting, rng) for _ in blamed]
    ambient_c = rng.normal(22.0, 6.0, len(blamed))
    plants = [
        _plant(machine, faults, setting, float(celsius))
        for faults, setting, celsius in zip(blamed, settings, ambient_c, strict=True)
    ]
    duties = [
        ReferenceGenerator(kind.cycle, setting.adapt(machine.operator), rng) for setting in settings
    ]
    joined = Plant(*(np.concatenate(values) for values in zip(*plants, strict=True)))
    state = empty_state(joined, ambient_c + 20.0, ambient_c + 18.0)
    strokes = joined.actuator_stroke
    state.position[:] = kind.cycle.initial * np.where(strokes < MAX_STROKE, strokes, 1.0)

    def run(start_s: float, seconds: float, speedup: float) -> tuple[Floats, list[Commands]]:
        times_s = start_s + STEP_S * (np.arange(round(seconds / STEP_S)) + 0.5)
        drawn = [duty.commands(times_s) for duty in duties]
        target, process, pumps = (np.stack(each) for each in zip(*drawn, strict=True))
        reference = Reference(target, process, kind.cycle.open_loop, pumps)
        wiring = kind.circuit.wiring
        return advance(wiring, joined, state, reference, STEP_S, _EVERY, speedup), drawn

    run(0.0, _WARM_UP_S, _SPEEDUP)
    recorded, drawn = run(_WARM_UP_S, WINDOW_S, 1.0)
    readings = []
    for row, faults in enumerate(blamed):
        commands = Commands(*(each[_EVERY - 1 :: _EVERY] for each in drawn[row]))
        seen = Observation(
            kind.circuit, plants[row], settings[row], recorded[row], commands, kind.cycle.open_loop
        )
        readings.append(_read(machine, seen, faults, first + row))
    return np.stack(readings)


def _plant(machine: Machine, faults: list[Blamed], setting: Setting, ambient_c: float) -> Plant:
    circuit = machine.kind.circuit
    plant = Plant(*(values.copy() for values in machine.plant))
    for each in faults:
        if each.severity == 0.0:
            continue
        if each.fault == PRECHARGE:
            gas = circuit.accumulators.index(each.component)
            plant.gas_precharge[:, gas] *= 1.0 - 0.9 * each.severity
        elif each.fault == CLOG:
            plant.branch_laminar[:, circuit.branch_of(each.component)] *= 1.0 + 6.0 * each.severity
        elif each.fault != DRIVE:
            effect = next(e for fault, e in EFFECTS.items() if fault == each.fault)
            effect.apply(circuit, plant, each.component, np.array([each.severity]))
    plant.thermal[0, 5:] = ambient_c
    setting.apply(plant, circuit.wiring.pump_water == 0)
    return plant


def _read(
    machine: Machine, seen: Observation, faults: list[Blamed], number: int
) -> NDArray[np.float32]:
    """Return the readings of one window as means of seconds, [S, WINDOW_S]; NaN in gaps."""
    lost = {each.component: each.severity for each in faults if each.fault == DRIVE}
    truth = np.stack([true_signal(seen, *each) for each in machine.sensors])
    for row, (component, sensor) in enumerate(machine.sensors):
        if sensor.kind == SensorKind.POWER and component in lost:
            truth[row] /= 1.0 - 0.2 * lost[component]
    group = SensorGroup([sensor for _, sensor in machine.sensors], machine.seed, number, 0.0)
    samples = group.read(truth).reshape(len(truth), WINDOW_S, -1)
    known = np.isfinite(samples)
    total = np.where(known, samples, 0.0).sum(-1)
    return np.where(known.any(-1), total / known.sum(-1).clip(min=1), np.nan).astype(np.float32)


def measurable(kind: Kind) -> Iterator[tuple[str, SensorSpec]]:
    """Yield the sensors that a machine of a build might have, each with its component."""
    circuit, number = kind.circuit, 0
    highest = max(values.get("cutoff_bar", 0.0) for values in circuit.values.values())
    for component in kind.circuit.machine.topology.components:
        nominal = circuit.values[component.id]
        for quantity, unit, high, position in _quantities(circuit, component.id, highest):
            if quantity == SensorKind.FLOW:
                high *= nominal["displacement_cm3"] * nominal["speed_rpm"] / 1e3
            low = -high if quantity in (SensorKind.CONTROL_SIGNAL, SensorKind.POSITION) else -1.0
            yield component.id, SensorSpec(
                id=f"s{number}", kind=quantity, unit=unit, rate_hz=RATE_HZ,
                range=(low, high), position=position,
            )  # fmt: skip
            number += 1


def _quantities(
    circuit: Circuit, name: str, highest_bar: float
) -> Iterator[tuple[SensorKind, str, float, str | None]]:
    """Yield quantity, unit, upper limit (of a flow: its share of the nominal one) and position."""
    kind, bar = circuit.kinds[name], (SensorKind.PRESSURE, "bar")
    low_bar, high_bar = 40.0, 2.2 * highest_bar
    match kind:
        case _ if kind in DRIVES and circuit.driven_by(name):
            yield SensorKind.POWER, "kW", 2.0 * circuit.values[name]["power_kw"] + 0.5, None
        case ComponentType.PUMP:
            yield *bar, high_bar, "outlet"
            yield SensorKind.FLOW, "l/min", 1.3, "outlet"
            yield SensorKind.FLOW, "l/min", 0.25, "drain"
            yield SensorKind.VIBRATION, "mm/s", 60.0, None
        case _ if (name, "supply") in circuit.node:
            yield *bar, high_bar, "supply"
            yield *bar, low_bar, "return"
            for section in circuit.sections:
                if section.valve == name:
                    yield SensorKind.CONTROL_SIGNAL, "%", 100.0, section.actuator
        case _ if (name, "a") in circuit.node:
            yield *bar, high_bar, "a"
        case ComponentType.FILTER:
            yield *bar, 10.0, "drop"
            yield *bar, low_bar, "outlet"
        case ComponentType.COOLER:
            for position in ("inlet", "outlet", "coolant"):
                yield SensorKind.TEMPERATURE, "degC", 150.0, position
        case ComponentType.REDUCING_VALVE:
            yield *bar, high_bar, "outlet"
        case ComponentType.TANK if not _holds_coolant(circuit, name):
            yield SensorKind.TEMPERATURE, "degC", 150.0, None


def _holds_coolant(circuit: Circuit, tank: str) -> bool:
    lines = (branch.line for branch in circuit.branches if branch.water)
    return any(line and tank in (line.source, line.target) for line in lines)
