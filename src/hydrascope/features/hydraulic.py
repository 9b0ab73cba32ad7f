"""Hydraulic group: features that relate the quantities of one machine to each other.

Shapes: `...` any batch axes (machines, sub-windows).
"""

from typing import NamedTuple

import torch
from torch import Tensor

OIL_VAPOUR_PRESSURE_BAR = 5e-6
"""The vapour pressure of a mineral hydraulic oil at 20 °C; safety data sheets give less than 0.5 Pa
(Shell Tellus S2). Dissolved air is released far earlier, and water in the oil raises it."""


class OperatingPoint(NamedTuple):
    """Means over one sub-window of a machine, all of one shape [...], NaN where unknown."""

    upstream_pressure_bar: Tensor
    """The absolute pressure before the main restriction (the load, or its directional valve)."""
    downstream_pressure_bar: Tensor
    """The absolute pressure after the main restriction."""
    inlet_temperature_c: Tensor
    """The temperature of the fluid that enters the machine's working circuit."""
    outlet_temperature_c: Tensor
    """The temperature of the fluid that leaves the working circuit."""
    measured_flow_l_min: Tensor
    """The flow delivered by the pump."""
    theoretical_flow_l_min: Tensor
    """The flow of the pump without leakage: displacement · speed."""


def hydraulic_features(
    point: OperatingPoint, *, vapour_pressure_bar: float = OIL_VAPOUR_PRESSURE_BAR
) -> tuple[Tensor, Tensor]:
    """Return the machine-level features and a mask of known ones, both [..., 4].

    - pressure ratio: p₂ / p₁, downstream over upstream, absolute pressures; needs p₁ > 0
    - temperature delta: T_outlet - T_inlet in K
    - flow efficiency: measured over theoretical flow, the volumetric efficiency of a pump
      (ISO 4391); needs a theoretical flow > 0
    - cavitation index: σ = (p₁ - p_v) / (p₁ - p₂) (ISA-RP75.23; the reciprocal of the differential
      pressure ratio x_F of IEC 60534-8-2). The lower it is, the closer is cavitation; at σ ≤ 1
      the fluid leaves as vapour. Needs p₁ > p₂

    A feature that is undefined, lacks a quantity or overflows is 0 and unknown.
    """
    p1, p2 = point.upstream_pressure_bar, point.downstream_pressure_bar
    pressure_drop = p1 - p2
    theoretical_flow = point.theoretical_flow_l_min
    features = torch.stack(
        (
            p2 / p1,
            point.outlet_temperature_c - point.inlet_temperature_c,
            point.measured_flow_l_min / theoretical_flow,
            (p1 - vapour_pressure_bar) / pressure_drop,
        ),
        dim=-1,
    )
    always = torch.ones_like(p1, dtype=torch.bool)
    defined = torch.stack((p1 > 0, always, theoretical_flow > 0, pressure_drop > 0), dim=-1)
    known = defined & torch.isfinite(features)
    return torch.where(known, features, 0.0), known
