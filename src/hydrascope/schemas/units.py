"""From a sensor's unit to the canonical one of its kind: canonical = factor · value + offset.

Vibration's canonical quantity is velocity. Acceleration and displacement turn into it only where
the frequency is known, so they have no conversion.
"""

from math import pi
from typing import NamedTuple

from hydrascope.schemas.kinds import SensorKind


class Conversion(NamedTuple):
    """An affine map to the canonical unit."""

    factor: float
    offset: float = 0.0


CONVERSIONS: dict[str, dict[str, Conversion]] = {
    SensorKind.PRESSURE: {  # bar
        "bar": Conversion(1.0),
        "mbar": Conversion(1e-3),
        "Pa": Conversion(1e-5),
        "kPa": Conversion(1e-2),
        "MPa": Conversion(10.0),
        "psi": Conversion(0.0689475729),  # lbf/in²: 6894.75729 Pa
    },
    SensorKind.FLOW: {  # l/min
        "l/min": Conversion(1.0),
        "l/s": Conversion(60.0),
        "m3/h": Conversion(1000 / 60),
        "gal/min": Conversion(3.785411784),  # US liquid gallon
    },
    SensorKind.TEMPERATURE: {  # °C
        "degC": Conversion(1.0),
        "K": Conversion(1.0, -273.15),
        "degF": Conversion(5 / 9, -160 / 9),
    },
    SensorKind.VIBRATION: {"mm/s": Conversion(1.0)},
    SensorKind.SPEED: {  # rpm
        "rpm": Conversion(1.0),
        "1/s": Conversion(60.0),
        "rad/s": Conversion(30 / pi),
    },
}
"""Conversions of the kinds that the physics of a machine is computed from, by unit."""


def conversion(kind: str, unit: str) -> Conversion | None:
    """Return how a sensor's values become canonical; None where that is not defined."""
    return CONVERSIONS.get(kind, {}).get(unit)
