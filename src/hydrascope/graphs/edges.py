"""The eight static features of a hydraulic line.

Scales bring common lines near the interval [0, 1]: 50 mm and 10 m are large lines of mobile
machines, 400 bar is a common rating of high-pressure hoses (ISO 18752 class 420 and below), and
0.002 m² is the cross-section of a 50 mm bore.
"""

from math import pi

import torch
from torch import Tensor

from hydrascope.schemas.machine import EdgeSpec, GraphTopology, Material

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
_COLUMNS = ((Material.STEEL,), (Material.RUBBER,), (Material.COMPOSITE, Material.THERMOPLASTIC))


def edge_features(edge: EdgeSpec) -> list[float]:
    """Return the eight dimensionless features of one line.

    diameter_mm/50; length_m/10; cross-section π(d/2)² in m² over 0.002; loss coefficient
    clip(1000·L/d_mm⁴, 0, 1), the geometry of laminar loss (Hagen–Poiseuille: Δp ∝ L/d⁴);
    pressure_rating_bar/400, 0.5 when unknown; one-hot material, thermoplastic as composite.
    """
    diameter_m = edge.diameter_mm / 1000.0
    loss = 1000.0 * edge.length_m / (edge.diameter_mm**4 + 1e-6)
    rating = edge.pressure_rating_bar
    return [
        edge.diameter_mm / 50.0,
        edge.length_m / 10.0,
        pi * (diameter_m / 2.0) ** 2 / 0.002,
        min(max(loss, 0.0), 1.0),
        UNKNOWN_RATING if rating is None else rating / 400.0,
        *(float(edge.material in column) for column in _COLUMNS),
    ]


def edge_tensors(topology: GraphTopology) -> tuple[Tensor, Tensor]:
    """Return `edge_index` [2, E] int64 and `edge_features` [E, 8] float32 of a topology.

    A bidirectional line has two edges with equal features.
    """
    edges = topology.directed_edges()
    index = torch.tensor([(source, target) for source, target, _ in edges], dtype=torch.int64)
    features = torch.tensor([edge_features(edge) for _, _, edge in edges], dtype=torch.float32)
    return index.reshape(-1, 2).T.contiguous(), features.reshape(-1, len(EDGE_FEATURE_NAMES))
