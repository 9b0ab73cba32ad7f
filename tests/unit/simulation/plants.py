"""Small machines and runs of them, for the tests of the simulator."""

from typing import Any

import numpy as np

from hydrascope.schemas import Machine, validate
from hydrascope.simulation.circuit import Circuit, build_circuit
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.solver import METERS, Plant, Reference, State, advance, empty_state

STEP_S = 0.05
LINE = {"kind": "pressure_line", "diameter_mm": 20, "length_m": 0.01, "material": "steel"}


def power_unit(*, efficiency: float = 0.95, **changes: Any) -> Machine:
    """A pump of 40 l/min (theoretical) whose oil goes through one thing back to the tank."""
    load = changes.get(
        "load",
        {"id": "load", "kind": "relief_valve",
         "nominal": {"setting_bar": 120, "flow_l_min": 40, "override_bar": 1}},
    )  # fmt: skip
    pump = {"displacement_cm3": 40, "speed_rpm": 1000, "cutoff_bar": 300,
            "volumetric_efficiency": efficiency} | changes.get("pump", {})  # fmt: skip
    components = [
        {"id": "motor", "kind": "electric_motor", "nominal": {"power_kw": 15}},
        {"id": "pump", "kind": "pump", "nominal": pump},
        load,
        {"id": "tank", "kind": "tank", "nominal": {"volume_l": 60, "w_per_k": 20}},
    ]
    edges = [
        {**LINE, "source": "motor", "target": "pump", "kind": "mechanical"},
        {**LINE, "source": "tank", "target": "pump", "kind": "suction_line", "diameter_mm": 60},
        {**LINE, "source": "pump", "target": "load"},
        {**LINE, "source": "load", "target": "tank", "kind": "return_line", "diameter_mm": 60},
    ]
    return validate(
        Machine,
        {
            "equipment": {"equipment_id": "unit", "name": "Unit"},
            "topology": {
                "id": "unit",
                "components": components,
                "edges": [edge for edge in edges if edge["kind"] not in changes.get("without", ())],
            },
        },
    )


def run_steady(machine: Machine, seconds: float = 20.0) -> tuple[Circuit, Plant, State]:
    """Run without any duty at 40 °C (held) until nothing changes; the meters are of the last s."""
    circuit = build_circuit(machine)
    plant = build_plant(circuit)
    plant.thermal[:, :2] = 1e12  # the oil keeps its temperature
    state = empty_state(plant, np.array([40.0]), np.array([40.0]))
    for length_s in (seconds, 1.0):
        state.meter[:] = 0.0
        steps = round(length_s / STEP_S)
        actuators = len(circuit.sections)
        nothing = np.zeros((1, steps, actuators))
        pumps = np.ones((1, steps, len(circuit.pumps), 2))
        reference = Reference(nothing, nothing, np.ones(actuators, dtype=np.int64), pumps)
        advance(circuit.wiring, plant, state, reference, STEP_S, 1)
    return circuit, plant, state


def meter(state: State, name: str) -> float:
    """Return what a meter shows."""
    return float(state.meter[0, METERS.index(name)])
