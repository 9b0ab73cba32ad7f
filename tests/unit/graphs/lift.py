"""A small lift: pump, cylinder and tank, with sensors in many units at known ports."""

from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from hydrascope.schemas import Machine, validate

END = datetime(2026, 7, 1, tzinfo=UTC)

LINE = {"diameter_mm": 16, "length_m": 2.5, "material": "steel"}


def sensor(name: str, kind: str, unit: str, position: str | None = None) -> dict[str, Any]:
    return {"id": name, "kind": kind, "unit": unit, "rate_hz": 10, "position": position}


def lift(**equipment: Any) -> Machine:
    """Sensors in the order p_pump, T_pump, v_pump, n_motor, v_motor, p_cyl, T_cyl, …"""
    return validate(
        Machine,
        {
            "equipment": {"equipment_id": "lift", "name": "Lift"} | equipment,
            "topology": {
                "id": "lift",
                "components": [
                    {
                        "id": "tank",
                        "kind": "tank",
                        "sensors": [
                            sensor("T_feed", "temperature", "degC", "outlet"),
                            sensor("T_back", "temperature", "K", "inlet"),
                        ],
                    },
                    {
                        "id": "pump",
                        "kind": "pump",
                        "nominal": {"displacement_cm3": 10},
                        "sensors": [
                            sensor("p_pump", "pressure", "MPa", "outlet"),
                            sensor("q_pump", "flow", "l/s", "outlet"),
                            sensor("v_pump", "vibration", "mm/s"),
                        ],
                    },
                    {
                        "id": "motor",
                        "kind": "electric_motor",
                        "sensors": [
                            sensor("n_motor", "speed", "1/s"),
                            sensor("v_motor", "vibration", "mm/s", "bearing"),
                            sensor("T_motor", "temperature", "degC"),
                        ],
                    },
                    {
                        "id": "cylinder",
                        "kind": "cylinder",
                        "sensors": [
                            sensor("p_cylinder", "pressure", "bar", "inlet"),
                            sensor("p_cylinder_2", "pressure", "kPa", "inlet"),
                            sensor("p_behind", "pressure", "bar", "outlet"),
                            sensor("a_cylinder", "vibration", "g"),
                        ],
                    },
                ],
                "edges": [
                    LINE | {"source": "tank", "target": "pump", "kind": "suction_line"},
                    LINE | {"source": "motor", "target": "pump", "kind": "mechanical"},
                    LINE
                    | {
                        "source": "pump",
                        "target": "cylinder",
                        "kind": "pressure_line",
                        "length_m": 10,
                    },
                    LINE
                    | {
                        "source": "cylinder",
                        "target": "tank",
                        "kind": "return_line",
                        "bidirectional": False,
                    },
                ],
            },
        },
    )


MEANS = {
    "T_feed": 40.0,
    "T_back": 323.15,
    "p_pump": 15.0,
    "q_pump": 0.25,
    "v_pump": 4.0,
    "n_motor": 26.0,
    "v_motor": 2.0,
    "T_motor": 90.0,
    "p_cylinder": 148.0,
    "p_cylinder_2": 14_900.0,
    "p_behind": 3.0,
    "a_cylinder": 0.4,
}
"""In each sensor's own unit."""
EDGES = ("tank>pump", "pump>tank", "motor>pump", "pump>motor", "pump>cylinder", "cylinder>pump")
EDGES += ("cylinder>tank",)


def means(machine: Machine, steps: int = 2, **changes: float) -> Tensor:
    """[1, S, T]."""
    values = MEANS | changes
    row = torch.tensor([values[each.id] for _, each in machine.topology.sensors])
    return row.reshape(1, -1, 1).expand(1, -1, steps).clone()
