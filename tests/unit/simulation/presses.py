"""A user's press, for tests: a machine file with few or all of its nominal values."""

from typing import Any

from hydrascope.schemas import Machine, validate

GIVEN: dict[str, dict[str, float]] = {
    "motor": {},
    "pump": {"displacement_cm3": 40, "speed_rpm": 1500},
    "relief": {"setting_bar": 200},
    "valve": {},
    "ram": {"force_kn": 100, "stroke_mm": 500},
    "filter": {},
    "tank": {},
}
"""What a builder's list says of the press."""
ALL: dict[str, dict[str, float]] = {
    "motor": {"power_kw": 22, "efficiency": 0.9},
    "pump": {"displacement_cm3": 40, "speed_rpm": 1500, "volumetric_efficiency": 0.95,
             "rated_bar": 200, "friction_bar": 5, "friction_share": 0.04},
    "relief": {"setting_bar": 200, "flow_l_min": 60, "override_bar": 10},
    "valve": {"flow_l_min": 60, "drop_bar": 10, "response_s": 0.06, "leakage_ml_min": 0},
    "ram": {"bore_mm": 100, "rod_mm": 70, "stroke_mm": 4000, "mass_kg": 500, "speed": 0.12,
            "work_bar": 150, "friction_share": 0.04, "load_share": 0.6, "process_share": 0.36,
            "leakage_ml_min": 0, "gain": 6},
    "filter": {"flow_l_min": 60, "drop_bar": 0.5, "bypass_bar": 3.5},
    "tank": {"volume_l": 240, "w_per_k": 30},
}  # fmt: skip
KINDS = {
    "motor": "electric_motor", "pump": "pump", "relief": "relief_valve",
    "valve": "proportional_valve", "ram": "cylinder", "filter": "filter", "tank": "tank",
}  # fmt: skip
SENSORS: dict[str, list[dict[str, Any]]] = {
    "pump": [{"id": "p_pump", "kind": "pressure", "unit": "bar", "rate_hz": 10}],
    "valve": [{"id": "u_ram", "kind": "control_signal", "unit": "%", "rate_hz": 10}],
    "ram": [{"id": "x_ram", "kind": "position", "unit": "mm", "rate_hz": 10}],
    "filter": [{"id": "dp", "kind": "pressure", "unit": "bar", "rate_hz": 1, "position": "drop"}],
    "tank": [{"id": "t_oil", "kind": "temperature", "unit": "degC", "rate_hz": 1}],
}
LINES = [
    ("motor", "pump", "mechanical"),
    ("tank", "pump", "suction_line"),
    ("pump", "relief", "pressure_line"),
    ("pump", "valve", "pressure_line"),
    ("valve", "ram", "pressure_line"),
    ("relief", "tank", "return_line"),
    ("valve", "filter", "return_line"),
    ("filter", "tank", "return_line"),
]


def press_file(
    nominal: dict[str, dict[str, float]] = GIVEN,
    *,
    sizes: dict[str, float] | None = None,
    without: tuple[tuple[str, str], ...] = (),
    sensors: dict[str, list[dict[str, Any]]] = SENSORS,
    **keys: Any,
) -> dict[str, Any]:
    """Return the content of a machine file.

    Args:
        nominal: The values of each component; its keys are the components.
        sizes: Of every line; None: they are not known.
        without: Lines that are left out, as (source, target).
        sensors: By component.
        keys: Further keys of the file.
    """
    components = [
        {"id": name, "kind": KINDS[name], "nominal": values, "sensors": sensors.get(name, [])}
        for name, values in nominal.items()
    ]
    edges = [
        {"source": source, "target": target, "kind": kind, **(sizes or {})}
        for source, target, kind in LINES
        if (source, target) not in without and {source, target} <= nominal.keys()
    ]
    return {
        "equipment": {"equipment_id": "press_7", "name": "Press 7"},
        "topology": {"id": "press", "components": components, "edges": edges},
        **keys,
    }


def press(*args: Any, **changes: Any) -> Machine:
    """Return a press; the arguments are of `press_file`."""
    return validate(Machine, press_file(*args, **changes))
