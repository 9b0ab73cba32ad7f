"""Flow in a straight round line from the pressures at its ends.

Darcy–Weisbach, Δp = f (L / d) ρ v² / 2, in terms of K = Re √f. K depends on the pressure loss, but
not on the flow: K = (d / ν) √(2 d Δp / (ρ L)). Re as a function of K thus gives the flow without
iteration:

- laminar, Re ≤ 2300: f = 64 / Re, so Re = K² / 64 (Hagen–Poiseuille)
- turbulent, Re ≥ 4000: Re = -0.869 K ln(ε / (3.7 d) + 2.52 / K), which is the explicit flow formula
  of P. K. Swamee, A. K. Jain, "Explicit Equations for Pipe-Flow Problems", J. Hydraulics Div. ASCE
  102 (1976); see `_turbulent`
- between: the monotone cubic in (ln K, ln Re) that meets both with their slopes

Shapes: `...` any batch axes; all arguments broadcast. Fittings and bends are not included.
"""

from math import log, pi, sqrt

import torch
from torch import Tensor

from hydrascope.schemas.kinds import Material

ROUGHNESS_MM = {
    Material.STEEL: 0.002,
    Material.RUBBER: 0.01,
    Material.COMPOSITE: 0.0015,
    Material.THERMOPLASTIC: 0.0015,
}
"""Wall roughness ε of new lines: drawn tubing, smoothed rubber, drawn plastic (F. M. White, "Fluid
Mechanics", table 6.1)."""

LAMINAR_RE, TURBULENT_RE = 2300.0, 4000.0
"""The Reynolds numbers where the laminar law ends and the turbulent law begins (White, section
6.1)."""
_LAMINAR_K = 8 * sqrt(LAMINAR_RE)
"""K at the end of the laminar range: √(64 Re)."""


def line_flow_m3_s(
    pressure_drop_pa: Tensor,
    *,
    diameter_m: Tensor,
    length_m: Tensor,
    roughness_m: Tensor,
    density_kg_m3: Tensor,
    viscosity_m2_s: Tensor,
) -> Tensor:
    """Return the flow Q [...] in m³/s caused by a pressure drop, with the sign of the drop.

    Args:
        pressure_drop_pa: Pressure at the source minus that at the target.
        diameter_m: Inner diameter d.
        length_m: Length L.
        roughness_m: Roughness ε of the wall.
        density_kg_m3: Density ρ.
        viscosity_m2_s: Kinematic viscosity ν.
    """
    per_velocity = diameter_m / viscosity_m2_s  # Re = v d / ν
    drop = pressure_drop_pa.abs()
    friction = per_velocity * (2 * diameter_m * drop / (density_kg_m3 * length_m)).sqrt()
    velocity = _reynolds(friction, roughness_m / diameter_m) / per_velocity
    return pressure_drop_pa.sign() * velocity * pi * diameter_m**2 / 4


def _reynolds(friction: Tensor, relative_roughness: Tensor) -> Tensor:
    """Return Re [...] for K = Re √f [...] and ε / d [...]; it increases with K."""
    relative_roughness = relative_roughness.to(friction)
    turbulent_k = _turbulent_start(relative_roughness)
    # Clamping to each law's range keeps all branches finite.
    turbulent = _turbulent(friction.clamp(min=_LAMINAR_K), relative_roughness)
    low, high = log(_LAMINAR_K), turbulent_k.log()
    position = ((friction.clamp(min=_LAMINAR_K).log() - low) / (high - low)).clamp(0, 1)
    between = _hermite(
        position,
        log(LAMINAR_RE),
        _turbulent(turbulent_k, relative_roughness).log(),
        2 * (high - low),
        _turbulent_slope(turbulent_k, relative_roughness) * (high - low),
    ).exp()
    laminar = friction.square() / 64
    upper = torch.where(friction < turbulent_k, between, turbulent)
    return torch.where(friction <= _LAMINAR_K, laminar, upper)


def _wall(friction: Tensor, relative_roughness: Tensor) -> Tensor:
    """Return the logarithm's argument; Swamee & Jain's √(3.17 ν² L / (g d³ h)) is √6.34 / K."""
    return relative_roughness / 3.7 + sqrt(6.34) / friction


def _turbulent(friction: Tensor, relative_roughness: Tensor) -> Tensor:
    """Return Re = 4 Q / (π d ν) of K by Swamee & Jain, Q = -0.965 √(g d⁵ h / L) ln(…).

    √(g d⁵ h / L) is K ν d / √2. The error is within 2 % of Colebrook's equation.
    """
    factor = -0.965 * 4 / (pi * sqrt(2))
    return factor * friction * _wall(friction, relative_roughness).log()


def _turbulent_slope(friction: Tensor, relative_roughness: Tensor) -> Tensor:
    """Return d ln Re / d ln K of `_turbulent`."""
    wall = _wall(friction, relative_roughness)
    slope: Tensor = 1 - sqrt(6.34) / (friction * wall * wall.log())
    return slope


def _turbulent_start(relative_roughness: Tensor) -> Tensor:
    """Return K at the beginning of the turbulent range, by Swamee & Jain's friction factor.

    f = 0.25 / lg²(ε / (3.7 d) + 5.74 / Re^0.9)
    """
    argument = relative_roughness / 3.7 + 5.74 / TURBULENT_RE**0.9
    root: Tensor = -0.5 / argument.log10()
    return TURBULENT_RE * root


def _hermite(
    position: Tensor, start: float, end: Tensor, start_slope: Tensor, end_slope: Tensor
) -> Tensor:
    """Return the cubic over [0, 1] with these values and slopes at its ends.

    It is monotone if no slope exceeds three times the mean slope (F. N. Fritsch, R. E. Carlson,
    SIAM J. Numer. Anal. 17, 1980). This holds for ε / d up to 0.01; hydraulic lines are below
    0.002.
    """
    rest = 1 - position
    return (
        start * rest**2 * (1 + 2 * position)
        + end * position**2 * (1 + 2 * rest)
        + start_slope * position * rest**2
        - end_slope * position**2 * rest
    )
