"""The eight static features of a line, and which of them are known.

Scales bring common lines near the interval [0, 1]: 50 mm and 10 m are large lines of mobile
machines, 400 bar is a common rating of high-pressure hoses (ISO 18752 class 420 and below), and
0.002 m² is the cross-section of a 50 mm bore. Beyond twice a scale, features grow ever more slowly
up to four, so that a duct or a pipeline does not outweigh all other lines.
"""

from math import pi

from hydrascope.schemas import EdgeSpec, EdgeType, Material

EDGE_FEATURE_NAMES = (
    "diameter",
    "length",
    "cross_section",
    "pressure_loss_coefficient",
    "pressure_rating",
    "is_steel",
    "is_rubber",
    "is_composite",
)

UNKNOWN_RATING = 0.5
_LINEAR = 2.0
"""Up to this value, features are proportional; their limit is twice as high."""
_COLUMNS = ((Material.STEEL,), (Material.RUBBER,), (Material.COMPOSITE, Material.THERMOPLASTIC))


def edge_features(edge: EdgeSpec) -> list[float]:
    """Return the eight dimensionless features of one line.

    diameter_mm/50; length_m/10; cross-section π(d/2)² in m² over 0.002; loss coefficient
    clip(1000·L/d_mm⁴, 0, 1), the geometry of laminar loss (Hagen–Poiseuille: Δp ∝ L/d⁴);
    pressure_rating_bar/400, 0.5 when unknown; one-hot material, thermoplastic as composite. What is
    unknown is 0.

    Each is bounded: x up to 2, and 4 − 4/x beyond, which continues it smoothly.
    """
    diameter_mm, length_m = edge.diameter_mm or 0.0, edge.length_m or 0.0
    loss = 1000.0 * length_m / (diameter_mm**4 + 1e-6)
    rating = edge.pressure_rating_bar
    features = [
        _bounded(diameter_mm / 50.0),
        _bounded(length_m / 10.0),
        _bounded(pi * (diameter_mm / 1000.0 / 2.0) ** 2 / 0.002),
        min(max(loss, 0.0), 1.0),
        UNKNOWN_RATING if rating is None else _bounded(rating / 400.0),
        *(float(edge.material in column) for column in _COLUMNS),
    ]
    return [x if known else 0.0 for x, known in zip(features, edge_known(edge), strict=True)]


def edge_known(edge: EdgeSpec) -> list[bool]:
    """Return which of the eight features are known; a rating that is not given, unless of links."""
    diameter, length = edge.diameter_mm is not None, edge.length_m is not None
    rating = edge.pressure_rating_bar is not None or edge.kind != EdgeType.LINK
    material = edge.material is not None
    return [diameter, length, diameter, diameter and length, rating, *[material] * len(_COLUMNS)]


def _bounded(feature: float) -> float:
    return feature if feature <= _LINEAR else 2 * _LINEAR - _LINEAR**2 / feature
