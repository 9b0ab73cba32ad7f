"""Rules for components other than pumps, by kind and in order: later ones rest on earlier ones."""

import math
from collections.abc import Mapping

from hydrascope.schemas import ComponentType
from hydrascope.simulation.estimation.draft import (
    SHARE_OF_LIMIT,
    Draft,
    Rule,
    area_m2,
    force_bar,
)
from hydrascope.simulation.estimation.pumps import EFFICIENCY, PUMP_RULES, drive_of
from hydrascope.simulation.estimation.series import (
    BORES_MM,
    MOTORS_KW,
    RODS_MM,
    at_least,
    nearest,
)
from hydrascope.simulation.parameters import VALVES

_STEEL_KG_M3 = 7_850.0
_AREA_RATIO = 1.6
"""The piston area over the ring area of usual cylinders."""
_START_S = 0.5
"""The time in which a motor reaches its usual speed with half of its torque."""
_TANK_MIN = {ComponentType.ELECTRIC_MOTOR: 4.0, ComponentType.COMBUSTION_ENGINE: 1.5}
_W_M2_K = 12.0
"""The heat transfer from the wall of a tank to calm air."""
_COOLED_SHARE, _COOLED_K = 0.3, 25.0
"""The share of the pumps' power that a cooler takes, at this distance of oil and coolant."""


def _bore_mm(draft: Draft, cylinder: str) -> float | None:
    force, work = draft.value(cylinder, "force_kn"), draft.value(cylinder, "work_bar")
    if force is None or work is None:
        return None
    area = 1e3 * force / (work * 1e5) / draft.or_default(cylinder, "count")
    return at_least(BORES_MM, 1e3 * math.sqrt(4.0 * area / math.pi))


def _rod_mm(draft: Draft, cylinder: str) -> float | None:
    bore = draft.value(cylinder, "bore_mm")
    rod = bore * math.sqrt(1.0 - 1.0 / _AREA_RATIO) if bore is not None else None
    return min(nearest(RODS_MM, rod), 0.9 * bore) if rod is not None and bore is not None else None


def _stroke_mm(draft: Draft, cylinder: str) -> float | None:
    spec = next(each for each in draft.machine.topology.components if each.id == cylinder)
    tops = [sensor.range[1] for sensor in spec.sensors
            if sensor.kind == "position" and sensor.unit == "mm" and sensor.range]  # fmt: skip
    return tops[0] if tops else None


def _mass_kg(draft: Draft, cylinder: str) -> float | None:
    rod, stroke = draft.value(cylinder, "rod_mm"), draft.value(cylinder, "stroke_mm")
    if rod is None or stroke is None:
        return None
    own = math.pi / 4.0 * (1e-3 * rod) ** 2 * 1e-3 * stroke * _STEEL_KG_M3
    return 3.0 * max(own, 1.0) * draft.or_default(cylinder, "count")


def _work_of_force(draft: Draft, cylinder: str) -> float | None:
    return force_bar(draft, cylinder)


def _work_of_limit(draft: Draft, _actuator: str) -> float | None:
    return SHARE_OF_LIMIT * draft.limit_bar if draft.limit_bar is not None else None


def _process_share(draft: Draft, actuator: str) -> float | None:
    shares = (draft.or_default(actuator, name) for name in ("load_share", "friction_share"))
    return max(0.0, 1.0 - sum(shares))


def _cylinder_speed(draft: Draft, cylinder: str) -> float | None:
    flow, area = draft.oil_flow_l_min, area_m2(draft, cylinder)
    return flow / 6e4 / area if flow is not None and area is not None else None


def _motor_speed(draft: Draft, motor: str) -> float | None:
    flow, size = draft.oil_flow_l_min, draft.value(motor, "displacement_cm3")
    return flow / 0.06 * 2.0 * math.pi / size if flow is not None and size is not None else None


def _inertia_kg_m2(draft: Draft, motor: str) -> float | None:
    size, work = draft.value(motor, "displacement_cm3"), draft.value(motor, "work_bar")
    speed = draft.value(motor, "speed")
    if size is None or work is None or speed is None:
        return None
    torque = size * 1e-6 / (2.0 * math.pi) * work * 1e5
    return 0.5 * torque * _START_S / speed


def _flow(draft: Draft, _component: str) -> float | None:
    return draft.oil_flow_l_min


def _precharge_bar(draft: Draft, _accumulator: str) -> float | None:
    return 0.6 * draft.limit_bar if draft.limit_bar is not None else None


def _setting_bar(draft: Draft, _valve: str) -> float | None:
    compensated = any(draft.value(pump, "cutoff_bar") is not None for pump in draft.oil_pumps)
    limit = draft.limit_bar
    return (1.1 if compensated else 1.0) * limit if limit is not None else None


def _kw_per_k(draft: Draft, _cooler: str) -> float | None:
    if draft.limit_bar is None or draft.oil_flow_l_min is None:
        return None
    return _COOLED_SHARE * draft.limit_bar * draft.oil_flow_l_min / 600.0 / _COOLED_K


def _volume_l(draft: Draft, _tank: str) -> float | None:
    drives = {draft.kinds[drive] for pump in draft.oil_pumps
              if (drive := drive_of(draft, pump)) is not None}  # fmt: skip
    minutes = min((_TANK_MIN[ComponentType(each)] for each in drives), default=4.0)
    flow = draft.oil_flow_l_min
    return minutes * flow if flow is not None else None


def _w_per_k(draft: Draft, tank: str) -> float | None:
    volume = draft.value(tank, "volume_l")
    return 6.0 * (1e-3 * volume) ** (2.0 / 3.0) * _W_M2_K if volume is not None else None


def _power_kw(draft: Draft, drive: str) -> float | None:
    pumps = [pump for pump in draft.oil_pumps if drive_of(draft, pump) == drive]
    flows = [flow for pump in pumps if (flow := draft.flow_l_min(pump)) is not None]
    if not flows or draft.limit_bar is None:
        return None
    power = draft.limit_bar * sum(flows) / 600.0 / EFFICIENCY
    return at_least(MOTORS_KW, power)


_WORK = Rule("work_bar", _work_of_limit, 0.1, "0.85 × highest pressure",
             "usual: the rest is lost in valves and lines")  # fmt: skip
_PROCESS = Rule("process_share", _process_share, 0.1,
                "1 − load_share − friction_share: all of work_bar at full load",
                "definition")  # fmt: skip
_FLOW = Rule("flow_l_min", _flow, 0.25, "flow of all pumps of oil", "usual: chosen for the pumps")
_POWER = Rule("power_kw", _power_kw, 0.15, "next above pressure × flow / 0.85",
              "textbook: P = p Q / η; series IEC 60072-1")  # fmt: skip

RULES: Mapping[str, tuple[Rule, ...]] = {
    ComponentType.PUMP: PUMP_RULES,
    ComponentType.CYLINDER: (
        Rule("work_bar", _work_of_force, 0.1, "force / piston area", "textbook: p = F / A"),
        _WORK,
        Rule("bore_mm", _bore_mm, 0.1, "next above force / work_bar", "series ISO 3320"),
        Rule("rod_mm", _rod_mm, 0.15, "next to 0.61 × bore (area ratio 1.6)", "series ISO 3320"),
        Rule("stroke_mm", _stroke_mm, 0.05, "upper end of its position sensor's range",
             "machine file"),
        Rule("mass_kg", _mass_kg, 1.0, "3 × mass of a rod of steel as long as the stroke",
             "usual value"),
        Rule("speed", _cylinder_speed, 0.3, "flow of all pumps of oil / piston area",
             "textbook: v = Q / A"),
        _PROCESS,
    ),
    ComponentType.HYDRAULIC_MOTOR: (
        _WORK,
        Rule("speed", _motor_speed, 0.3, "flow of all pumps of oil / displacement",
             "textbook: ω = 2π Q / V"),
        Rule("inertia_kg_m2", _inertia_kg_m2, 1.0,
             "reaches its speed in 0.5 s with half of its torque", "usual value"),
        _PROCESS,
    ),
    **dict.fromkeys(VALVES, (_FLOW,)),
    ComponentType.ACCUMULATOR: (
        Rule("precharge_bar", _precharge_bar, 0.15,
             "0.9 × lowest working pressure, taken as 2/3 of the highest pressure",
             "textbook rule"),
    ),
    ComponentType.FILTER: (_FLOW,),
    ComponentType.COOLER: (
        _FLOW,
        Rule("kw_per_k", _kw_per_k, 0.4, "takes 30 % of the pumps' power at 25 K", "usual value"),
    ),
    ComponentType.RELIEF_VALVE: (
        Rule("setting_bar", _setting_bar, 0.05,
             "highest pressure; 1.1 × it above a pressure compensator", "usual value"),
        _FLOW,
    ),
    ComponentType.REDUCING_VALVE: (_FLOW,),
    ComponentType.TANK: (
        Rule("volume_l", _volume_l, 0.25,
             "4 × flow of the pumps in a minute; 1.5 × on mobile machines",
             "textbook rule: 3 to 5 ×"),
        Rule("w_per_k", _w_per_k, 0.4, "six walls of a cube of its volume, 12 W/(m² K)",
             "textbook: free convection and radiation"),
    ),
    ComponentType.ELECTRIC_MOTOR: (_POWER,),
    ComponentType.COMBUSTION_ENGINE: (_POWER,),
}  # fmt: skip
"""In the order in which kinds are completed."""
