"""From what the solver records to what a perfect sensor would say, by its place and unit."""

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import ComponentType, SensorKind, SensorSpec, SpecError
from hydrascope.simulation.circuit import ACTUATORS, DRIVES, VALVES, Circuit
from hydrascope.simulation.duty import Setting
from hydrascope.simulation.fluid import kinematic_viscosity_mm2_s
from hydrascope.simulation.plant import BAR, LITRE_MIN
from hydrascope.simulation.solver import ENDLESS, PUMP_SIGNALS, Plant
from hydrascope.simulation.solver.packing import COOLANT_C

Values = NDArray[np.float64]

RUNOUT_MM_S, RIPPLE_MM_S, CAVITATION_MM_S = 0.9, 2.2, 16.0
"""Vibration velocity of a pump's housing: of its shaft at nominal speed (the force of what is
out of true grows with its square), of pressure pulses at cut-off and full stroke, and of bubbles
collapsing where no stroke were filled. A sound pump is in zone A/B of ISO 20816-1 (below 2.8 mm/s),
a cavitating or worn one in C and D."""


def true_signal(
    circuit: Circuit, plant: Plant, setting: Setting, component: str, sensor: SensorSpec,
    record: Values, target: Values,
) -> Values:  # fmt: skip
    """Return what a perfect sensor would say [samples], in the unit of its kind.

    Args:
        circuit: The network.
        plant: Its values, [1, …] each.
        setting: How the machine is set.
        component: Who carries the sensor.
        sensor: What it measures, and where.
        record: What `solver.advance` recorded of the machine, [samples, signals].
        target: What was asked for at those times, [samples, A].

    Raises:
        SpecError: There is nothing of that kind to measure at that place.
    """
    kind, place = circuit.kinds[component], sensor.position
    columns = _Columns(circuit, record)
    match sensor.kind:
        case SensorKind.PRESSURE if place == "drop":
            branch = circuit.branches[circuit.branch_of(component)]
            drop: Values = columns.pressure(branch.start) - columns.pressure(branch.end)
            drop /= BAR
            return drop
        case SensorKind.PRESSURE if (component, place or "outlet") in circuit.node:
            pressure: Values = columns.pressure(circuit.node[component, place or "outlet"]) / BAR
            return pressure
        case SensorKind.FLOW if kind == ComponentType.PUMP:
            flow, leakage, *_ = columns.pump(component)
            passed: Values = (leakage if place == "drain" else flow - leakage) / LITRE_MIN
            return passed
        case SensorKind.POWER if kind in DRIVES:
            driven = [p for p, drive in zip(circuit.pumps, circuit.drives, strict=True)
                      if drive == component]  # fmt: skip
            shaft = np.sum([columns.pump(pump)[4] for pump in driven], axis=0)
            power: Values = shaft / circuit.values[component]["efficiency"] / 1e3
            return power
        case SensorKind.SPEED if kind in DRIVES:
            driven_pump = circuit.pumps[circuit.drives.index(component)]
            values = circuit.values[driven_pump]
            share = 1.0 if values["water"] else setting.speed
            return np.full(len(record), share * values["speed_rpm"])
        case SensorKind.CONTROL_SIGNAL if kind == ComponentType.PUMP:
            return np.full(len(record), 100.0 * setting.pressure)
        case SensorKind.VIBRATION if kind == ComponentType.PUMP:
            return _vibration(circuit, plant, setting, component, columns)
        case SensorKind.TEMPERATURE if kind == ComponentType.COOLER:
            if place == "coolant":
                return np.full(len(record), plant.thermal[0, COOLANT_C])
            return columns.temperature(0 if place == "inlet" else 2)
        case SensorKind.TEMPERATURE if kind == ComponentType.TANK:
            return columns.temperature(1)
        case SensorKind.VISCOSITY if kind == ComponentType.TANK:
            a, b, *_ = plant.oil[0]
            return kinematic_viscosity_mm2_s(a, b, columns.temperature(1))
        case SensorKind.POSITION if kind in ACTUATORS:
            position: Values = columns.actuator(component)[0]
            if kind == ComponentType.CYLINDER:
                position = position * 1e3
            return position
        case SensorKind.CONTROL_SIGNAL if kind in VALVES:
            return 100.0 * _command(circuit, plant, str(place), columns, target)
    raise SpecError(
        f"sensor {sensor.id}: no {sensor.kind} can be measured at {place!r} of a {kind} "
        f"({component}) in a simulation"
    )


class _Columns:
    """Where `solver.advance` puts what."""

    def __init__(self, circuit: Circuit, record: Values) -> None:
        self._circuit, self._record = circuit, record
        self._pumps = len(circuit.node) + len(circuit.branches)
        self._actuators = self._pumps + PUMP_SIGNALS * len(circuit.pumps)

    def pressure(self, node: int) -> Values:
        return self._record[:, node] if node >= 0 else np.zeros(len(self._record))

    def pump(self, component: str) -> Values:
        """Flow, leakage, stroke, fill, shaft power; [5, samples]."""
        first = self._pumps + PUMP_SIGNALS * self._circuit.pumps.index(component)
        return self._record[:, first : first + PUMP_SIGNALS].T

    def actuator(self, component: str) -> Values:
        """Position, speed, spool; [3, samples]."""
        names = [section.actuator for section in self._circuit.sections]
        first = self._actuators + 3 * names.index(component)
        return self._record[:, first : first + 3].T

    def temperature(self, number: int) -> Values:
        return self._record[:, number - 3]


def _vibration(
    circuit: Circuit, plant: Plant, setting: Setting, component: str, columns: _Columns
) -> Values:
    number = circuit.pumps.index(component)
    _, _, stroke, fill, _ = columns.pump(component)
    load = columns.pressure(circuit.node[component, "outlet"]) / (
        circuit.values[component]["cutoff_bar"] * BAR
    )
    shaft = RUNOUT_MM_S * plant.pump_runout[0, number] * setting.speed**2
    ripple = RIPPLE_MM_S * load * (0.4 + 0.6 * stroke)
    bubbles = CAVITATION_MM_S * (1.0 - fill)
    velocity: Values = np.sqrt(shaft**2 + ripple**2 + bubbles**2)
    return velocity


def _command(
    circuit: Circuit, plant: Plant, actuator: str, columns: _Columns, target: Values
) -> Values:
    """Return what the controller asks of a valve's section, −1 to 1."""
    number = [section.actuator for section in circuit.sections].index(actuator)
    position, stroke = columns.actuator(actuator)[0], plant.actuator_stroke[0, number]
    share = position / stroke if stroke < ENDLESS else position
    off: Values = plant.valve_gain[0, number] * (target[:, number] - share)
    return np.clip(off, -1.0, 1.0)
