"""Rules for pumps: pressure and flow, on which most other rules rest."""

import math

from hydrascope.schemas import ComponentType, EdgeType
from hydrascope.simulation.estimation.draft import Draft, Rule, area_m2
from hydrascope.simulation.parameters import ACTUATORS, DRIVES

MOTOR_RPM, ENGINE_RPM = 1_460.0, 2_000.0
"""An asynchronous motor of four poles at 50 Hz, less its slip; a diesel engine at work."""
EFFICIENCY = 0.85
"""The overall efficiency of a pump with its coupling."""


def drive_of(draft: Draft, pump: str) -> str | None:
    """Return the motor or engine of a pump."""
    return next(
        (
            edge.source
            for edge in draft.machine.topology.edges
            if edge.kind is EdgeType.MECHANICAL
            and edge.target == pump
            and draft.kinds[edge.source] in DRIVES
        ),
        None,
    )


def _speed_rpm(draft: Draft, pump: str) -> float | None:
    drive = drive_of(draft, pump)
    if drive is None:
        return None
    usual = MOTOR_RPM if draft.kinds[drive] == ComponentType.ELECTRIC_MOTOR else ENGINE_RPM
    return draft.value(drive, "speed_rpm") or usual


def _displacement_cm3(draft: Draft, pump: str) -> float | None:
    speed, flow = draft.value(pump, "speed_rpm"), draft.value(pump, "flow_l_min")
    return 1e3 * flow / speed if speed is not None and flow is not None else None


def _displacement_of_speeds(draft: Draft, pump: str) -> float | None:
    """Return what the fastest actuator takes up, shared by the pumps of oil."""
    speed = draft.value(pump, "speed_rpm")
    flows = [each for name in draft.kinds if (each := _taken_l_min(draft, name)) is not None]
    if speed is None or not flows or pump not in draft.oil_pumps:
        return None
    return 1e3 * max(flows) / len(draft.oil_pumps) / speed


def _taken_l_min(draft: Draft, actuator: str) -> float | None:
    """Return the flow that an actuator takes up at its usual speed; None if that is not given."""
    if draft.kinds[actuator] not in ACTUATORS or (speed := draft.value(actuator, "speed")) is None:
        return None
    if draft.kinds[actuator] == ComponentType.CYLINDER:
        area = area_m2(draft, actuator)
        return area * speed * 6e4 if area is not None else None
    size = draft.value(actuator, "displacement_cm3")
    return size * speed / (2.0 * math.pi) * 0.06 if size is not None else None


def _displacement_of_power(draft: Draft, pump: str) -> float | None:
    drive, speed = drive_of(draft, pump), draft.value(pump, "speed_rpm")
    power = draft.value(drive, "power_kw") if drive is not None else None
    if speed is None or power is None or draft.limit_bar is None:
        return None
    driven = [each for each in draft.oil_pumps if drive_of(draft, each) == drive]
    return 1e3 * 600.0 * EFFICIENCY * power / draft.limit_bar / speed / max(len(driven), 1)


def _cutoff_bar(draft: Draft, pump: str) -> float | None:
    return None if draft.fixed or pump not in draft.oil_pumps else draft.limit_bar


def _rated_bar(draft: Draft, pump: str) -> float | None:
    compensated = draft.value(pump, "cutoff_bar") is not None
    return None if compensated or pump not in draft.oil_pumps else draft.limit_bar


PUMP_RULES = (
    Rule("speed_rpm", _speed_rpm, 0.03,
         "the drive's; else 1460 rpm (motor of four poles, 50 Hz) or 2000 rpm (engine)",
         "usual: synchronous speed less slip"),
    Rule("displacement_cm3", _displacement_cm3, 0.03, "flow / speed", "definition"),
    Rule("displacement_cm3", _displacement_of_speeds, 0.2,
         "flow that the fastest actuator takes up / speed", "textbook: Q = A v"),
    Rule("displacement_cm3", _displacement_of_power, 0.25,
         "0.85 × motor power / highest pressure / speed", "textbook: P = p Q / η"),
    Rule("cutoff_bar", _cutoff_bar, 0.05, "highest pressure, as no relief valve limits it",
         "definition"),
    Rule("rated_bar", _rated_bar, 0.05, "highest pressure, as the pump has no cut-off",
         "definition"),
)  # fmt: skip
