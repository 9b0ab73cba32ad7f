"""Nine faults, each of which changes physical values of a machine with its severity.

Its effect on the sensors follows from the equations. Severity is 0 for a sound component and 1 for
one that has failed.

Shapes: B machines.
"""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import ComponentSpec, ComponentType, EdgeType, SpecError
from hydrascope.schemas.errors import closest
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.limits import feeding_pumps
from hydrascope.simulation.parameters import ACTUATORS, VALVES
from hydrascope.simulation.plant import BAR, DENSITY_KG_M3, LITRE_MIN, VISCOSITY_PA_S
from hydrascope.simulation.solver import Plant

Severity = NDArray[np.float64]


class Fault(StrEnum):
    """The faults, in the order of the labels."""

    PRESSURE_DROP = "pressure_drop"
    OVERHEATING = "overheating"
    CAVITATION = "cavitation"
    LEAKAGE = "leakage"
    VIBRATION_ANOMALY = "vibration_anomaly"
    FLOW_RESTRICTION = "flow_restriction"
    CONTAMINATION = "contamination"
    SEAL_DEGRADATION = "seal_degradation"
    VALVE_STICTION = "valve_stiction"


ACTIVE = 0.25
"""The severity from which on a fault is an active anomaly."""


class FaultEffect(NamedTuple):
    """The effect of a fault, and the kinds of components that can have it."""

    kinds: tuple[ComponentType, ...]
    apply: Callable[[Circuit, Plant, str, Severity], None]


def apply_fault(
    circuit: Circuit, plant: Plant, fault: Fault, component: str, severity: Severity
) -> None:
    """Change `plant` in place by a fault of `component` with `severity` [B]."""
    EFFECTS[fault].apply(circuit, plant, component, severity)


def possible_faults(circuit: Circuit, source: str = "") -> Mapping[Fault, tuple[str, ...]]:
    """Return the faults of a circuit in order, each with the components that can have it.

    These are of the fault's kinds, with oil and with sensors: without, it could not be found. A
    pump of fixed displacement has no compensator that could fail. The machine file may exclude
    some.

    Args:
        circuit: The circuit.
        source: The file it was read from; begins the message of an error.

    Raises:
        SpecError: An excluded fault is none that the circuit can have.
    """
    found = {
        fault: tuple(
            component.id
            for component in circuit.machine.topology.components
            if _can_have(circuit, component, fault)
        )
        for fault in Fault
    }
    excluded = circuit.machine.simulation.exclude_faults
    known = [*(fault for fault, names in found.items() if names),
             *(f"{name}.{fault}" for fault, names in found.items() for name in names)]  # fmt: skip
    strange = [
        f"simulation.exclude_faults[{number}]: {each!r} is no fault that this machine can have; "
        f"there are: {', '.join(known)}{closest(each, known)}"
        for number, each in enumerate(excluded)
        if each not in known
    ]
    if strange:
        raise SpecError(*strange, source=source)
    left = {
        fault: tuple(name for name in names if f"{name}.{fault}" not in excluded)
        for fault, names in found.items()
        if fault not in excluded
    }
    return {fault: names for fault, names in left.items() if names}


def _can_have(circuit: Circuit, component: ComponentSpec, fault: Fault) -> bool:
    values = circuit.values[component.id]
    if fault is Fault.PRESSURE_DROP and math.isinf(values.get("cutoff_bar", 0.0)):
        return False
    return (
        component.kind in EFFECTS[fault].kinds
        and not values.get("water")
        and bool(component.sensors)
    )


def _pressure_drop(circuit: Circuit, plant: Plant, component: str, severity: Severity) -> None:
    """Weaken the spring of the pressure compensator: the cut-off pressure falls."""
    plant.pump_cutoff[:, circuit.pumps.index(component)] *= 1.0 - 0.45 * severity


def _overheating(_circuit: Circuit, plant: Plant, _component: str, severity: Severity) -> None:
    """Foul the cooler's outer surface: it transfers less heat."""
    plant.thermal[:, 2] *= 1.0 - 0.9 * severity


def _cavitation(circuit: Circuit, plant: Plant, component: str, severity: Severity) -> None:
    """Clog the suction strainer: at nominal flow it would drop up to 1.5 bar, more than there is.

    Flow through the pores of dirt is laminar (Darcy's law).
    """
    pump = circuit.pumps.index(component)
    share = circuit.values[component]["strainer_share"]
    for number, branch in enumerate(circuit.branches):
        if branch.line and branch.line.target == component:
            plant.branch_laminar[:, number] += (
                severity * 1.5 * BAR / VISCOSITY_PA_S / (share * plant.pump_flow[:, pump])
            )


def _leakage(circuit: Circuit, plant: Plant, component: str, severity: Severity) -> None:
    """Widen the gaps in the pump: up to 3.3 times the leakage."""
    plant.pump_leakage[:, circuit.pumps.index(component)] *= 1.0 + 2.3 * severity


def _vibration(circuit: Circuit, plant: Plant, component: str, severity: Severity) -> None:
    """Wear the shaft's bearing: run-out shows in the vibration, and friction grows."""
    pump = circuit.pumps.index(component)
    plant.pump_friction[:, pump, 0] *= 1.0 + 1.0 * severity
    plant.pump_runout[:, pump] *= 1.0 + 2.0 * severity


def _restriction(circuit: Circuit, plant: Plant, component: str, severity: Severity) -> None:
    """Squeeze the line to the valve: at half flow it drops up to 0.11 of the pump's pressure."""
    name = feeding_pumps(circuit, component)[0]
    pump = circuit.pumps.index(name)
    pressure = np.minimum(plant.pump_cutoff[:, pump], circuit.values[name]["rated_bar"] * BAR)
    for number, branch in enumerate(circuit.branches):
        line = branch.line
        if line and line.target == component and line.kind is EdgeType.PRESSURE_LINE:
            plant.branch_turbulent[:, number] += (severity * 0.11 * pressure / DENSITY_KG_M3) / (
                0.5 * plant.pump_flow[:, pump]
            ) ** 2


def _contamination(circuit: Circuit, plant: Plant, component: str, severity: Severity) -> None:
    """Contaminate the oil: dirt clogs the filter, wears the pumps and makes spools stick."""
    oil = circuit.wiring.pump_water == 0
    plant.branch_laminar[:, circuit.branch_of(component)] *= 1.0 + 1.3 * severity
    plant.pump_leakage[:, oil] *= 1.0 + 1.0 * severity[:, None]
    plant.valve_stiction[:] *= 1.0 + 0.8 * severity[:, None]


def _seal(circuit: Circuit, plant: Plant, component: str, severity: Severity) -> None:
    """Wear the seals: up to 0.75 of the valve's rated flow passes between the chambers."""
    number = circuit.actuators.index(component)
    section = circuit.sections[number]
    values, valve = circuit.values[component], circuit.values[section.valve]
    rated = valve["flow_l_min"] * values["valve_share"] * LITRE_MIN
    plant.actuator_leakage[:, number] += (
        severity * 0.75 * rated * VISCOSITY_PA_S / (values["work_bar"] * BAR)
    )
    plant.actuator_friction[:, number, 0] *= 1.0 - 0.3 * severity


def _stiction(circuit: Circuit, plant: Plant, component: str, severity: Severity) -> None:
    """Varnish the spools: they stick, then follow their commands late."""
    mine = np.array([section.valve == component for section in circuit.sections])
    plant.valve_stiction[:, mine] *= 1.0 + 1.6 * severity[:, None]
    plant.valve_response[:, mine] *= 1.0 + 2.0 * severity[:, None]


_PUMP = (ComponentType.PUMP,)
EFFECTS: Mapping[Fault, FaultEffect] = {
    Fault.PRESSURE_DROP: FaultEffect(_PUMP, _pressure_drop),
    Fault.OVERHEATING: FaultEffect((ComponentType.COOLER,), _overheating),
    Fault.CAVITATION: FaultEffect(_PUMP, _cavitation),
    Fault.LEAKAGE: FaultEffect(_PUMP, _leakage),
    Fault.VIBRATION_ANOMALY: FaultEffect(_PUMP, _vibration),
    Fault.FLOW_RESTRICTION: FaultEffect(VALVES, _restriction),
    Fault.CONTAMINATION: FaultEffect((ComponentType.FILTER,), _contamination),
    Fault.SEAL_DEGRADATION: FaultEffect(ACTUATORS, _seal),
    Fault.VALVE_STICTION: FaultEffect(VALVES, _stiction),
}
