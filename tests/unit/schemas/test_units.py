"""Units against values printed in NIST SP 811 and against hand calculation."""

import numpy as np
import pytest
from scipy import constants

from hydrascope.schemas import SENSOR_UNITS, SpecError
from hydrascope.schemas.units import conversion, spelt, to_canonical


@pytest.mark.parametrize(
    ("value", "source", "target", "expected", "digits"),
    [
        # NIST SP 811 (2008), appendix B.8 prints factors to seven digits.
        (1, "psi", "Pa", 6.894757e3, 7),
        (1, "hp", "W", 7.456999e2, 7),
        (1, "lbf", "N", 4.448222, 7),
        (1, "lbf ft", "N m", 1.355818, 7),
        (1, "gal", "l", 3.785412, 7),
        (1, "gal/min", "l/min", 3.785412, 7),
        (1, "rpm", "rad/s", 1.047198e-1, 7),
        (1, "deg", "rad", 1.745329e-2, 7),
        (1, "g", "m/s2", 9.80665, 15),
        (1, "in/s", "mm/s", 25.4, 15),
        (212, "degF", "degC", 100, 14),
        (-40, "degF", "degC", -40, 14),
        (0, "degC", "K", 273.15, 15),
        (0, "K", "degF", -459.67, 14),
        (3000, "psi", "bar", 206.8427188, 10),
        (7.5, "MPa", "bar", 75, 15),
        (250, "mbar", "kPa", 25, 15),
        (6, "m3/h", "l/min", 100, 15),
        (2, "l/s", "m3/h", 7.2, 15),
        (25, "1/s", "rpm", 1500, 15),
        (0.5, "1", "%", 50, 15),
        (300, "ppm", "%", 0.03, 15),
        (46, "cSt", "mm2/s", 46, 15),
        (20, "mA", "A", 0.02, 15),
        (90, "um", "mm", 0.09, 15),
    ],
)
def test_a_value_is_converted_as_the_standard_says(
    value: float, source: str, target: str, expected: float, digits: int
) -> None:
    scale, offset = conversion(source, target)
    tolerance = 0.6 * 10.0 ** (1 - digits)
    np.testing.assert_allclose(value * scale + offset, expected, rtol=tolerance, atol=1e-12)


@pytest.mark.parametrize(
    ("spelling", "unit"),
    [
        ("1/min", "rpm"),
        ("U/min", "rpm"),
        ("°C", "degC"),
        ("μm", "um"),
        ("Nm", "N m"),
        ("lpm", "l/min"),
    ],
)
def test_a_usual_spelling_is_the_same_unit(spelling: str, unit: str) -> None:
    assert spelt(spelling) == unit
    assert conversion(spelling, unit) == conversion(unit, spelling) == (1.0, 0.0)


def test_every_pair_of_a_kinds_units_converts_there_and_back_or_measures_different_things() -> None:
    refused = []
    for units in SENSOR_UNITS.values():
        for source in units:
            for target in units:
                try:
                    there, back = conversion(source, target), conversion(target, source)
                except SpecError:
                    refused.append({source, target})
                    continue
                value = (12.5 * there.scale + there.offset) * back.scale + back.offset
                assert value == pytest.approx(12.5, rel=1e-12)
    # A vibration as velocity, acceleration or displacement; a signal or a level as per cent.
    assert {"mm/s", "g"} in refused
    assert {"bar", "psi"} not in refused


def test_a_unit_that_only_the_machine_file_knows_needs_no_conversion() -> None:
    assert conversion("um/m", "um/m") == (1.0, 0.0)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("psy", "bar", "unit 'psy' cannot be converted to 'bar'; accepted: Pa, hPa, .*; did you"),
        ("degC", "bar", "unit 'degC' cannot be converted to 'bar'; accepted: Pa, hPa, mbar"),
        ("bar", "um/m", "unit 'bar' is not accepted; expected 'um/m'"),
    ],
)
def test_another_quantity_or_an_unknown_unit_is_refused(
    source: str, target: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        conversion(source, target)


@pytest.mark.parametrize(
    ("kind", "unit", "value", "expected"),
    [
        ("pressure", "psi", 1.0, constants.psi / constants.bar),
        ("pressure", "kPa", 101.325, constants.atm / constants.bar),
        ("flow", "gal/min", 1.0, constants.gallon / constants.liter),
        ("temperature", "degF", 104.0, 40.0),
        ("speed", "rad/s", 2 * constants.pi, 60.0),
    ],
)
def test_a_value_becomes_that_of_its_kind_s_canonical_unit(
    kind: str, unit: str, value: float, expected: float
) -> None:
    to = to_canonical(kind, unit)
    assert to is not None
    assert to.scale * value + to.offset == pytest.approx(expected, rel=1e-12)


def test_acceleration_is_not_taken_for_velocity_nor_a_declared_kind_for_a_known_one() -> None:
    assert to_canonical("vibration", "g") is None
    assert to_canonical("strain", "um/m") is None
