"""Properties of a machine's oil as functions of temperature.

Shapes: `...` any batch axes (lines, steps, windows).
"""

from collections.abc import Mapping
from math import log10
from typing import NamedTuple

import torch
from torch import Tensor

_KELVIN = 273.15
# ASTM D341 adds 0.7 to viscosities above 2 mm²/s; its other terms only matter below that.
_WALTHER_SHIFT = 0.7


class HydraulicFluid(NamedTuple):
    """The data sheet of a mineral hydraulic oil.

    The default is an ISO VG 46 oil (ISO 3448: 46 mm²/s ± 10 % at 40 °C) with a viscosity index near
    100, the most common grade in industrial hydraulics. The values at 100 °C and the density are
    those of Shell Tellus S2 M 46 (technical data sheet).
    """

    viscosity_40_c_mm2_s: float = 46.0
    """The kinematic viscosity at 40 °C."""
    viscosity_100_c_mm2_s: float = 6.7
    """The kinematic viscosity at 100 °C."""
    density_15_c_kg_m3: float = 879.0
    """The density at 15 °C."""
    expansion_per_k: float = 7.1e-4
    """The cubic thermal expansion at 15 °C; ASTM D1250 (table 54D) gives 0.6278 / ρ₁₅ for
    lubricating oils."""

    @classmethod
    def of(cls, nominal: Mapping[str, float]) -> "HydraulicFluid":
        """Return the oil with a machine's nominal values, and defaults for those not given."""
        return cls(**{name: nominal[name] for name in cls._fields if name in nominal})

    def kinematic_viscosity_mm2_s(self, temperature_c: Tensor) -> Tensor:
        """Return ν [...] in mm²/s at `temperature_c` [...].

        Walther's equation as in ASTM D341, lg lg (ν + 0.7) = A - B lg T with T in K, through the
        oil's two points. It is valid from the pour point to some 150 °C.
        """
        at_40 = log10(log10(self.viscosity_40_c_mm2_s + _WALTHER_SHIFT))
        at_100 = log10(log10(self.viscosity_100_c_mm2_s + _WALTHER_SHIFT))
        slope = (at_40 - at_100) / (log10(100 + _KELVIN) - log10(40 + _KELVIN))
        double_log = at_40 - slope * (torch.log10(temperature_c + _KELVIN) - log10(40 + _KELVIN))
        return 10 ** (10**double_log) - _WALTHER_SHIFT

    def density_kg_m3(self, temperature_c: Tensor) -> Tensor:
        """Return ρ [...] in kg/m³ at `temperature_c` [...]: ρ₁₅ (1 - α (T - 15 °C)).

        The error is within 0.2 % of ASTM D1250's exponential law from -20 to 100 °C. Compression,
        some 0.7 % at 100 bar, is neglected.
        """
        return self.density_15_c_kg_m3 * (1 - self.expansion_per_k * (temperature_c - 15))
