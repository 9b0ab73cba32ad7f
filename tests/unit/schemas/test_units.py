"""Units, against SciPy's table of constants."""

import pytest
from scipy import constants

from hydrascope.schemas import SENSOR_UNITS
from hydrascope.schemas.units import CONVERSIONS, conversion


@pytest.mark.parametrize(
    ("kind", "unit", "value", "expected"),
    [
        ("pressure", "psi", 1.0, constants.psi / constants.bar),
        ("pressure", "MPa", 16.0, 160.0),
        ("pressure", "mbar", 1000.0, 1.0),
        ("pressure", "kPa", 101.325, constants.atm / constants.bar),
        ("pressure", "Pa", 1e5, 1.0),
        ("flow", "gal/min", 1.0, constants.gallon / constants.liter),
        ("flow", "m3/h", 6.0, 100.0),
        ("flow", "l/s", 0.5, 30.0),
        ("temperature", "K", 313.15, 40.0),
        ("temperature", "degF", 104.0, 40.0),
        ("speed", "rad/s", 2 * constants.pi, 60.0),
        ("speed", "1/s", 25.0, 1500.0),
    ],
)
def test_a_value_becomes_canonical(kind: str, unit: str, value: float, expected: float) -> None:
    to = conversion(kind, unit)
    assert to is not None
    assert to.factor * value + to.offset == pytest.approx(expected, rel=1e-7)


def test_every_unit_is_one_that_the_sensor_kind_accepts_and_the_canonical_one_comes_first() -> None:
    for kind, table in CONVERSIONS.items():
        assert set(table) <= set(SENSOR_UNITS[kind])
        assert next(iter(table)) == SENSOR_UNITS[kind][0]
        assert table[SENSOR_UNITS[kind][0]] == (1.0, 0.0)
        if kind != "vibration":
            assert set(table) == set(SENSOR_UNITS[kind])


def test_acceleration_is_not_taken_for_velocity() -> None:
    assert conversion("vibration", "g") is None
    assert conversion("strain", "um/m") is None
