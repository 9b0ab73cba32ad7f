"""The nominal values that a simulated component of each kind needs, with defaults and bounds."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from hydrascope.schemas import ComponentSpec, ComponentType
from hydrascope.schemas.errors import closest

VALVES = (
    ComponentType.DIRECTIONAL_VALVE,
    ComponentType.PROPORTIONAL_VALVE,
    ComponentType.SERVO_VALVE,
)
ACTUATORS = (ComponentType.CYLINDER, ComponentType.HYDRAULIC_MOTOR)
DRIVES = (ComponentType.ELECTRIC_MOTOR, ComponentType.COMBUSTION_ENGINE)


class Quantity(NamedTuple):
    """The default of a nominal value (None: it must be given) and its bounds."""

    default: float | None
    low: float
    high: float


_FLOW = Quantity(None, 0.01, 5_000.0)
_DROP = Quantity(10.0, 0.05, 500.0)
_VALVE = {
    "flow_l_min": _FLOW,  # through a metering edge, fully open
    "drop_bar": _DROP,  # at that flow
    "response_s": Quantity(0.06, 0.001, 5.0),
    "leakage_ml_min": Quantity(50.0, 0.0, 10_000.0),  # over a closed edge at 100 bar
    "relief_bar": Quantity(math.inf, 1.0, 1_000.0),
    "port_relief_bar": Quantity(math.inf, 1.0, 1_000.0),
}
_MOTION = {
    "friction_share": Quantity(0.04, 0.0, 0.5),  # a share of the force at `work_bar`
    "work_bar": Quantity(None, 1.0, 700.0),
    "load_share": Quantity(0.0, -2.0, 2.0),  # constant load, as a share of the same
    "process_share": Quantity(None, 0.0, 2.0),  # full process load, likewise
    "speed": Quantity(
        None, 1e-4, 100.0
    ),  # usual one, in m/s or rad/s, at which viscous friction is given
    "valve_share": Quantity(1.0, 0.001, 1.0),  # of the valve's rated flow that its section has
    "gain": Quantity(6.0, 0.0, 100.0),  # valve opening for an error of a stroke (of 1 rad)
    "leakage_ml_min": Quantity(10.0, 0.0, 20_000.0),  # across the seals at 100 bar
}
_DRIVE = {"power_kw": Quantity(None, 0.1, 5_000.0), "efficiency": Quantity(0.9, 0.05, 1.0)}

QUANTITIES: Mapping[str, Mapping[str, Quantity]] = {
    ComponentType.PUMP: {
        "displacement_cm3": Quantity(None, 0.1, 5_000.0),
        "speed_rpm": Quantity(None, 50.0, 10_000.0),
        "cutoff_bar": Quantity(math.inf, 0.5, 1_000.0),  # not given: fixed displacement
        "power_kw": Quantity(math.inf, 0.1, 5_000.0),
        "standby": Quantity(1.0, 0.01, 1.0),
        "volumetric_efficiency": Quantity(0.95, 0.3, 0.9999),
        # At this pressure; not given: at cut-off, but 350 bar at most.
        "rated_bar": Quantity(math.inf, 0.5, 1_000.0),
        "friction_bar": Quantity(5.0, 0.0, 100.0),
        "friction_share": Quantity(0.04, 0.0, 0.5),
        "strainer_share": Quantity(
            1.0, 0.01, 1.0
        ),  # of the full flow, for which its strainer is made
        "water": Quantity(0.0, 0.0, 1.0),  # 1: it delivers coolant
    },
    ComponentType.DIRECTIONAL_VALVE: _VALVE,
    ComponentType.PROPORTIONAL_VALVE: _VALVE,
    ComponentType.SERVO_VALVE: _VALVE,
    ComponentType.CYLINDER: {
        "bore_mm": Quantity(None, 1.0, 2_000.0),
        "rod_mm": Quantity(None, 0.0, 2_000.0),
        "stroke_mm": Quantity(None, 1.0, 20_000.0),
        "count": Quantity(1.0, 1.0, 8.0),  # in parallel
        "mass_kg": Quantity(None, 0.1, 1e6),  # as the rod feels it
        **_MOTION,
    },
    ComponentType.HYDRAULIC_MOTOR: {
        "displacement_cm3": Quantity(None, 0.1, 1e6),  # for one turn of the load
        "inertia_kg_m2": Quantity(None, 1e-4, 1e7),
        **_MOTION,
    },
    ComponentType.ACCUMULATOR: {
        "volume_l": Quantity(None, 0.01, 2_000.0),
        "precharge_bar": Quantity(None, 1.0, 700.0),
        "polytropic_exponent": Quantity(1.2, 1.0, 1.67),
    },
    ComponentType.FILTER: {
        "flow_l_min": _FLOW,
        "drop_bar": Quantity(0.5, 0.001, 50.0),
        "bypass_bar": Quantity(3.5, 0.1, 100.0),
    },
    ComponentType.COOLER: {
        "flow_l_min": _FLOW,
        "drop_bar": Quantity(0.5, 0.001, 50.0),
        "kw_per_k": Quantity(None, 1e-4, 100.0),
        "thermostat_c": Quantity(40.0, -20.0, 100.0),
    },
    ComponentType.RELIEF_VALVE: {
        "setting_bar": Quantity(None, 0.5, 1_000.0),
        "flow_l_min": _FLOW,
        "override_bar": Quantity(10.0, 0.1, 200.0),
    },
    ComponentType.REDUCING_VALVE: {
        "setting_bar": Quantity(None, 0.5, 1_000.0),
        "flow_l_min": _FLOW,
        "drop_bar": _DROP,
    },
    ComponentType.FLOW_CONTROL_VALVE: {"flow_l_min": _FLOW, "drop_bar": _DROP},
    ComponentType.TANK: {
        "volume_l": Quantity(None, 0.1, 100_000.0),
        "w_per_k": Quantity(None, 0.0, 10_000.0),
    },
    ComponentType.ELECTRIC_MOTOR: _DRIVE,
    ComponentType.COMBUSTION_ENGINE: _DRIVE,
    ComponentType.MANIFOLD: {},
}
"""The nominal values of each kind; flows and pressure drops hold at 46 mm²/s."""

HINTS: Mapping[str, Mapping[str, Quantity]] = {
    ComponentType.PUMP: {"flow_l_min": _FLOW},  # theoretical
    ComponentType.CYLINDER: {"force_kn": Quantity(None, 0.01, 1e6)},  # at full load
    **{drive: {"speed_rpm": Quantity(None, 50.0, 10_000.0)} for drive in DRIVES},
}
"""What may be given in place of other values, which are then estimated from it."""
_AGREEMENT = 0.1
"""How far a flow that is given may be from displacement × speed."""


def nominal_values(component: ComponentSpec) -> tuple[dict[str, float], list[tuple[str, str]]]:
    """Return a component's nominal values, defaults filled in, and errors as (name, message)."""
    known = QUANTITIES[component.kind]
    every = {**known, **HINTS.get(component.kind, {})}
    accepted = f"unknown to a {component.kind}; accepted: {', '.join(every)}"
    faults = [
        (name, accepted + closest(name, list(every)))
        for name in component.nominal
        if name not in every
    ]
    values = {}
    for name, quantity in known.items():
        value = component.nominal.get(name, quantity.default)
        if value is None:
            faults.append((name, f"missing; expected {quantity.low:g} to {quantity.high:g}"))
        else:
            values[name] = value
    for name, quantity in every.items():
        value = component.nominal.get(name)
        if value is not None and not quantity.low <= value <= quantity.high:
            accepted = f"expected {quantity.low:g} to {quantity.high:g}"
            faults.append((name, f"{value:g} is not accepted; {accepted}"))
    if values.get("rod_mm", 0.0) >= values.get("bore_mm", math.inf):
        faults.append(("rod_mm", f"{values['rod_mm']:g} is not accepted; expected less than bore"))
    if (flow := component.nominal.get("flow_l_min")) and "displacement_cm3" in values:
        theoretical = values["displacement_cm3"] * values.get("speed_rpm", math.inf) / 1e3
        if not abs(flow / theoretical - 1.0) <= _AGREEMENT:
            expected = f"expected {theoretical:g}, which is displacement_cm3 × speed_rpm"
            faults.append(("flow_l_min", f"{flow:g} is not accepted; {expected}"))
    return values, faults
