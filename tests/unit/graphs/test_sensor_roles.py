"""Roles of sensors: what machines of different builds share."""

import pytest

from hydrascope.graphs.sensor_roles import SensorRole
from hydrascope.schemas import ComponentSpec, SensorSpec, validate


def role(kind: str, sensor: str, position: str | None) -> SensorRole:
    given = {"id": "s", "kind": sensor, "unit": {"flow": "l/min"}.get(sensor, "bar"), "rate_hz": 1}
    measured = validate(SensorSpec, {**given, "position": position})
    carrier = validate(ComponentSpec, {"id": "c", "kind": kind, "sensors": [measured]})
    return SensorRole.of(carrier, measured)


@pytest.mark.parametrize(
    ("kind", "sensor", "usual"),
    [
        ("pump", "pressure", "outlet"),
        ("pump", "flow", "outlet"),
        ("servo_valve", "pressure", "supply"),
        ("cylinder", "pressure", "a"),
    ],
)
def test_a_sensor_without_a_position_measures_where_that_is_usual(
    kind: str, sensor: str, usual: str
) -> None:
    assert role(kind, sensor, None) == role(kind, sensor, usual)
    assert role(kind, sensor, None) != role(kind, sensor, "drain")


def test_positions_that_only_one_machine_has_are_no_part_of_a_role() -> None:
    assert role("cylinder", "pressure", "boom").sensor == "pressure"
    assert role("filter", "flow", None).sensor == "flow"
