"""The true signals of a simulated machine: what perfect sensors would measure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import ComponentType, SensorKind, SensorSpec, SpecError
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.duty import Commands, Setting
from hydrascope.simulation.fluid import kinematic_viscosity_mm2_s
from hydrascope.simulation.parameters import ACTUATORS, DRIVES, VALVES
from hydrascope.simulation.plant import BAR, LITRE_MIN, rated_bar
from hydrascope.simulation.solver import MAX_STROKE, PUMP_SIGNALS, Plant
from hydrascope.simulation.solver.packing import COOLANT_C

Values = NDArray[np.float64]

RUNOUT_MM_S, RIPPLE_MM_S, CAVITATION_MM_S = 0.9, 2.2, 16.0
"""The vibration velocity of a pump's housing: from the shaft at nominal speed (the force of run-out
grows with the square of the speed), from pressure pulses at cut-off pressure and full stroke, and
from collapsing bubbles if no stroke were filled. A sound pump is in zone A/B of ISO 20816-1 (below
2.8 mm/s), a cavitating or worn one in C and D."""


@dataclass(frozen=True)
class Observation:
    """A piece of a run, from which the signals of perfect sensors follow.

    Shapes: samples of the piece, A actuators.
    """

    circuit: Circuit
    plant: Plant
    """[1, …] each."""
    setting: Setting
    record: Values
    """[samples, signals], what `solver.advance` recorded of the machine."""
    commands: Commands
    """The commands at those times."""
    open_loop: NDArray[np.int64]
    """[A], 1 where targets are openings of the valves, 0 where they are positions."""

    def constant(self, value: float) -> Values:
        """Return a value [samples] that does not change."""
        return np.full(len(self.record), value)

    def pressure_bar(self, node: int) -> Values:
        """Return a node's pressure [samples]; that of the tank is 0."""
        pressure: Values = self.record[:, node] / BAR if node >= 0 else self.constant(0.0)
        return pressure

    def branch_flow(self, branch: int) -> Values:
        """Return the flow through a branch [samples] in m³/s."""
        return self.record[:, len(self.circuit.node) + branch]

    def pump(self, component: str) -> Values:
        """Return flow, leakage, stroke, filled share and shaft power, [5, samples]."""
        first = len(self.circuit.node) + len(self.circuit.branches)
        first += PUMP_SIGNALS * self.circuit.pumps.index(component)
        return self.record[:, first : first + PUMP_SIGNALS].T

    def pump_command(self, component: str) -> Values:
        """Return the cut-off pressure and speed that are commanded, [2, samples], as shares."""
        return self.commands.pumps[:, self.circuit.pumps.index(component)].T

    def position(self, actuator: int) -> Values:
        """Return an actuator's position [samples] in m (rad for a motor)."""
        first = len(self.circuit.node) + len(self.circuit.branches)
        first += PUMP_SIGNALS * len(self.circuit.pumps)
        return self.record[:, first + 3 * actuator]

    def temperature_c(self, place: int) -> Values:
        """Return a temperature [samples]: circuit (0), tank (1) or the outlet of the cooler (2)."""
        return self.record[:, place - 3]


TRUE_UNITS: Mapping[str, str] = {
    SensorKind.PRESSURE: "bar",
    SensorKind.FLOW: "l/min",
    SensorKind.TEMPERATURE: "degC",
    SensorKind.VIBRATION: "mm/s",
    SensorKind.POWER: "kW",
    SensorKind.SPEED: "rpm",
    SensorKind.POSITION: "mm",
    SensorKind.CONTROL_SIGNAL: "%",
    SensorKind.VISCOSITY: "mm2/s",
}
"""The units of `true_signal`; the position of a hydraulic motor is in rad."""
_USUAL_PLACE: Mapping[str, str] = {
    **dict.fromkeys(ACTUATORS, "a"),
    **dict.fromkeys(VALVES, "supply"),
}
"""Where a pressure is measured that names no position; elsewhere at the outlet."""
_DRY = (*DRIVES, ComponentType.TANK, ComponentType.COOLER)
"""The kinds of components without oil of the circuit's temperature, or with other ones."""


def true_signal(observation: Observation, component: str, sensor: SensorSpec) -> Values:
    """Return what a perfect sensor would measure [samples], in the unit of `TRUE_UNITS`.

    Args:
        observation: The piece of a run.
        component: The component that carries the sensor.
        sensor: The quantity and its place.

    Raises:
        SpecError: There is nothing of that kind to measure at that place.
    """
    circuit, setting = observation.circuit, observation.setting
    kind, place = circuit.kinds[component], sensor.position
    wet = circuit.values[component].get("water")
    match sensor.kind:
        case SensorKind.PRESSURE if place == "drop" and circuit.has_branch(component):
            branch = circuit.branches[circuit.branch_of(component)]
            return observation.pressure_bar(branch.start) - observation.pressure_bar(branch.end)
        case SensorKind.PRESSURE if (node := _node(circuit, component, place)) is not None:
            return observation.pressure_bar(node)
        case SensorKind.FLOW if kind == ComponentType.PUMP:
            flow, leakage, *_ = observation.pump(component)
            passed: Values = (leakage if place == "drain" else flow - leakage) / LITRE_MIN
            return passed
        case SensorKind.FLOW if circuit.has_branch(component):
            return observation.branch_flow(circuit.branch_of(component)) / LITRE_MIN
        case SensorKind.POWER if kind in DRIVES:
            shaft_w = sum(observation.pump(pump)[4] for pump in circuit.driven_by(component))
            power: Values = shaft_w / circuit.values[component]["efficiency"] / 1e3
            return power
        case SensorKind.SPEED if kind in DRIVES and circuit.driven_by(component):
            pump = circuit.driven_by(component)[0]
            return _speed_rpm(observation, pump)
        case SensorKind.CONTROL_SIGNAL if kind == ComponentType.PUMP:
            commanded: Values = 100.0 * setting.pressure * observation.pump_command(component)[0]
            return commanded
        case SensorKind.VIBRATION if kind == ComponentType.PUMP:
            return _vibration(observation, component)
        case SensorKind.TEMPERATURE if kind == ComponentType.COOLER and place == "coolant":
            return observation.constant(observation.plant.thermal[0, COOLANT_C])
        case SensorKind.TEMPERATURE if kind == ComponentType.COOLER:
            return observation.temperature_c(0 if place == "inlet" else 2)
        case SensorKind.TEMPERATURE if kind == ComponentType.TANK:
            return observation.temperature_c(1)
        case SensorKind.TEMPERATURE if kind not in _DRY and not wet:
            return observation.temperature_c(0)
        case SensorKind.VISCOSITY if kind == ComponentType.TANK:
            a, b, *_ = observation.plant.oil[0]
            return kinematic_viscosity_mm2_s(a, b, observation.temperature_c(1))
        case SensorKind.POSITION if kind in ACTUATORS:
            position = observation.position(circuit.actuators.index(component))
            return position * 1e3 if kind == ComponentType.CYLINDER else position
        case SensorKind.CONTROL_SIGNAL if (moved := circuit.moved_by(component, place)) is not None:
            return _valve_command(observation, moved)
    raise SpecError(
        f"sensor {sensor.id}: no {sensor.kind} can be measured at {place!r} of a {kind} "
        f"({component}) in a simulation"
    )


def _speed_rpm(observation: Observation, pump: str) -> Values:
    values = observation.circuit.values[pump]
    share = 1.0 if values["water"] else observation.setting.speed
    speed: Values = share * values["speed_rpm"] * observation.pump_command(pump)[1]
    return speed


def _node(circuit: Circuit, component: str, place: str | None) -> int | None:
    usual = _USUAL_PLACE.get(circuit.kinds[component], "outlet")
    return circuit.node.get((component, place or usual))


def _vibration(observation: Observation, component: str) -> Values:
    circuit = observation.circuit
    speed = observation.setting.speed * observation.pump_command(component)[1]
    _, _, stroke, fill, _ = observation.pump(component)
    pressure = observation.pressure_bar(circuit.node[component, "outlet"])
    load = pressure / rated_bar(circuit.values[component])
    runout = observation.plant.pump_runout[0, circuit.pumps.index(component)]
    shaft = RUNOUT_MM_S * runout * speed**2
    ripple = RIPPLE_MM_S * load * (0.4 + 0.6 * stroke)
    bubbles = CAVITATION_MM_S * (1.0 - fill)
    velocity: Values = np.sqrt(shaft**2 + ripple**2 + bubbles**2)
    return velocity


def _valve_command(observation: Observation, actuator: int) -> Values:
    """Return the controller's command of an actuator's valve in %, −100 to 100."""
    if observation.open_loop[actuator]:
        return 100.0 * observation.commands.target[:, actuator]
    plant, position = observation.plant, observation.position(actuator)
    stroke = plant.actuator_stroke[0, actuator]
    share = position / stroke if stroke < MAX_STROKE else position
    opening: Values = plant.valve_gain[0, actuator] * (
        observation.commands.target[:, actuator] - share
    )
    return 100.0 * np.minimum(1.0, np.maximum(-1.0, opening))
