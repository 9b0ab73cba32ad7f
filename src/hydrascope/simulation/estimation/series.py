"""Sizes that are made, of which estimates take the next and random circuits are drawn."""

from collections.abc import Sequence

BORES_MM = (25, 32, 40, 50, 63, 80, 100, 125, 160, 200, 250, 320, 400, 500)
RODS_MM = (12, 14, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63, 70, 80, 90, 100, 110, 125,
           140, 160, 180, 200, 220, 250, 280, 320, 360)  # fmt: skip
"""Bores and rods of cylinders (ISO 3320)."""
HOSES_MM = (5, 6.3, 8, 10, 12.5, 16, 19, 25, 31.5, 38, 51, 63, 76, 102, 127, 152)
"""Nominal sizes of hoses (ISO 4397); the largest are of pipes."""
MOTORS_KW = (0.37, 0.55, 0.75, 1.1, 1.5, 2.2, 3, 4, 5.5, 7.5, 11, 15, 18.5, 22, 30, 37, 45, 55, 75,
             90, 110, 132, 160, 200, 250, 315)  # fmt: skip
"""Rated powers of electric motors (IEC 60072-1)."""
ACCUMULATORS_L = (0.5, 1, 2.5, 4, 6, 10, 20, 32, 50)
"""Usual sizes of bladder accumulators."""
_R10 = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
PREFERRED = tuple(round(step * 10.0**decade, 9) for decade in range(-2, 6) for step in _R10)
"""Preferred numbers R 10 (ISO 3). Displacements, strokes, nominal pressures, volumes of tanks, and
nominal flows of valves and filters follow them."""
GAUGES_BAR = (10, 25, 40, 60, 100, 160, 250, 400, 600, 1000)
"""Upper ends of the ranges of pressure sensors (EN 837-1)."""


def at_least(series: Sequence[float], value: float) -> float:
    """Return the smallest size that is not below a value; the value itself beyond the largest."""
    return float(next((size for size in series if size >= value), value))


def nearest(series: Sequence[float], value: float) -> float:
    """Return the size that is nearest to a value."""
    return float(min(series, key=lambda size: abs(size - value)))
