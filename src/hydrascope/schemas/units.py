"""Conversion of units of measurement.

Factors are exact, from the definitions in NIST Special Publication 811 (2008), appendix B.8 and
its footnotes: 1 in = 25.4 mm, 1 lb = 0.45359237 kg, g = 9.80665 m/s², 1 gal (US) = 231 in³,
1 hp = 550 ft·lbf/s. The irrational one is the radian.
"""

import math
from fractions import Fraction
from typing import NamedTuple

from hydrascope.schemas.errors import SpecError, closest
from hydrascope.schemas.kinds import SENSOR_UNITS

_INCH_M = Fraction(254, 10_000)
_FOOT_M = 12 * _INCH_M
_GRAVITY_M_S2 = Fraction(980_665, 100_000)
_POUND_FORCE_N = Fraction(45_359_237, 100_000_000) * _GRAVITY_M_S2
_PSI_PA = _POUND_FORCE_N / _INCH_M**2
_GALLON_L = 231 * _INCH_M**3 * 1000
_HORSEPOWER_W = 550 * _FOOT_M * _POUND_FORCE_N
_RADIAN_REVOLUTIONS = Fraction(1 / (2 * math.pi))


class Conversion(NamedTuple):
    """`value · scale + offset`."""

    scale: float
    offset: float


class _Unit(NamedTuple):
    """One unit in terms of the base unit of its quantity: `base = value · scale + offset`."""

    quantity: str
    scale: Fraction
    offset: Fraction = Fraction(0)


_THOUSANDTH = Fraction(1, 1000)
_MILLIONTH = Fraction(1, 10**6)
_OF_BASE: dict[str, dict[str, Fraction | int]] = {
    "pressure": {
        "Pa": 1,
        "hPa": 100,
        "mbar": 100,
        "kPa": 10**3,
        "bar": 10**5,
        "MPa": 10**6,
        "psi": _PSI_PA,
    },
    "flow": {
        "l/min": 1,
        "l/s": 60,
        "m3/h": Fraction(1000, 60),
        "m3/s": 60_000,
        "gal/min": _GALLON_L,
    },
    "acceleration": {"m/s2": 1, "g": _GRAVITY_M_S2},
    "velocity": {"m/s": 1, "mm/s": _THOUSANDTH, "in/s": _INCH_M, "ft/s": _FOOT_M},
    "length": {"m": 1, "mm": _THOUSANDTH, "um": _MILLIONTH, "in": _INCH_M, "ft": _FOOT_M},
    "angle": {"deg": Fraction(1, 360), "rad": _RADIAN_REVOLUTIONS},
    "power": {"W": 1, "kW": 1000, "hp": _HORSEPOWER_W},
    "rotational speed": {
        "1/s": 1,
        "rpm": Fraction(1, 60),
        "rad/s": _RADIAN_REVOLUTIONS,
    },
    "torque": {"N m": 1, "kN m": 1000, "lbf ft": _POUND_FORCE_N * _FOOT_M},
    "force": {"N": 1, "kN": 1000, "lbf": _POUND_FORCE_N},
    "volume": {"l": 1, "m3": 1000, "gal": _GALLON_L},
    "current": {"A": 1, "mA": _THOUSANDTH},
    "voltage": {"V": 1, "mV": _THOUSANDTH},
    "ratio": {"1": 1, "%": Fraction(1, 100), "ppm": _MILLIONTH},
    "kinematic viscosity": {"mm2/s": 1, "cSt": 1, "m2/s": 10**6},
}
"""The factor from each unit to its quantity's base unit."""

_UNITS = {
    name: _Unit(quantity, Fraction(scale))
    for quantity, scales in _OF_BASE.items()
    for name, scale in scales.items()
} | {
    "K": _Unit("temperature", Fraction(1)),
    "degC": _Unit("temperature", Fraction(1), Fraction(27_315, 100)),
    "degF": _Unit("temperature", Fraction(5, 9), Fraction(45_967, 100) * Fraction(5, 9)),
}


_SPELLINGS = {
    "°c": "degC", "c": "degC", "celsius": "degC", "°f": "degF", "fahrenheit": "degF",
    "lpm": "l/min", "m³/h": "m3/h", "gpm": "gal/min", "m³/s": "m3/s", "m³": "m3",
    "1/min": "rpm", "u/min": "rpm", "min-1": "rpm", "min⁻¹": "rpm", "r/min": "rpm",
    "nm": "N m", "knm": "kN m", "m/s²": "m/s2", "m/s^2": "m/s2", "µm": "um", "mm²/s": "mm2/s",
    "°": "deg", "amps": "A", "volts": "V", "percent": "%", "watt": "W",
}  # fmt: skip
"""The unit that is meant by each other spelling, in lower case."""


def spelt(unit: str) -> str:
    """Return the accepted name of a unit in any usual spelling, such as rpm for 1/min."""
    plain = unit.strip()
    return _SPELLINGS.get(plain.lower().replace("μ", "µ"), plain)


def conversion(source: str, target: str) -> Conversion:
    """Return the conversion of values from `source` to `target`, in any usual spelling.

    Units declared in a machine file are accepted if no conversion is needed.

    Raises:
        SpecError: A unit is unknown, or the units belong to different quantities.
    """
    if source == target:
        return Conversion(1.0, 0.0)
    source, target = spelt(source), spelt(target)
    given, wanted = _UNITS.get(source), _UNITS.get(target)
    if wanted is None:
        raise SpecError(f"unit {source!r} is not accepted; expected {target!r}")
    accepted = same_quantity(target)
    if given is None or given.quantity != wanted.quantity:
        raise SpecError(
            f"unit {source!r} cannot be converted to {target!r}; accepted: {', '.join(accepted)}"
            + (closest(source, accepted) if given is None else "")
        )
    return Conversion(
        scale=float(given.scale / wanted.scale),
        offset=float((given.offset - wanted.offset) / wanted.scale),
    )


def same_quantity(unit: str) -> list[str]:
    """Return all units that can be converted to a unit, or none if it is unknown."""
    known = _UNITS.get(unit)
    return [name for name, each in _UNITS.items() if known and each.quantity == known.quantity]


def to_canonical(kind: str, unit: str) -> Conversion | None:
    """Return the conversion of a sensor's values to the canonical unit of its kind.

    It is None for declared kinds and between different quantities: an acceleration, for example,
    can be converted to a vibration velocity only if the frequency is known.
    """
    canonical = SENSOR_UNITS.get(kind, ("",))[0]
    given, wanted = _UNITS.get(unit), _UNITS.get(canonical)
    if given is None or wanted is None or given.quantity != wanted.quantity:
        return None
    return conversion(unit, canonical)
