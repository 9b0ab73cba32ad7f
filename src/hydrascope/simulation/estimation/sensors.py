"""Ranges of sensors that have none in the machine file."""

from hydrascope.schemas import ComponentSpec, SensorKind, SensorSpec
from hydrascope.schemas.units import to_canonical
from hydrascope.simulation.estimation.draft import Draft
from hydrascope.simulation.estimation.series import GAUGES_BAR, at_least
from hydrascope.simulation.parameters import VALVES

Range = tuple[float, float]


def usual_range(draft: Draft, component: ComponentSpec, sensor: SensorSpec) -> Range | None:
    """Return a usual range of a sensor in its unit; None if nothing tells it."""
    found = _canonical(draft, component, sensor)
    into = to_canonical(sensor.kind, sensor.unit)
    if found is None or into is None:
        return None
    low, high = ((end - into.offset) / into.scale for end in found)
    return low, high


def _canonical(draft: Draft, component: ComponentSpec, sensor: SensorSpec) -> Range | None:
    limit, flow = draft.limit_bar or 250.0, draft.oil_flow_l_min or 100.0
    match sensor.kind:
        case SensorKind.PRESSURE if sensor.position == "drop":
            return -1.0, 10.0
        case SensorKind.PRESSURE:
            return -1.0, at_least(GAUGES_BAR, 1.5 * limit)
        case SensorKind.FLOW:
            return 0.0, 1.5 * flow
        case SensorKind.TEMPERATURE:
            return -40.0, 150.0
        case SensorKind.VIBRATION:
            return 0.0, 60.0
        case SensorKind.POWER:
            return 0.0, 3.0 * limit * flow / 600.0 * 1e3
        case SensorKind.SPEED:
            return 0.0, 4_000.0
        case SensorKind.VISCOSITY:
            return 0.0, 500.0
        case SensorKind.CONTROL_SIGNAL:
            return (-100.0, 100.0) if component.kind in VALVES else (0.0, 120.0)
        case SensorKind.POSITION if stroke := draft.value(component.id, "stroke_mm"):
            return -0.02 * stroke, 1.04 * stroke
    return None
