"""What the oil of a machine is like at a temperature.

Shapes: `...` any batch axes (lines, steps, windows).
"""

from collections.abc import Mapping
from math import log10
from typing import NamedTuple

import torch
from torch import Tensor

_KELVIN = 273.15
# ASTM D341 adds 0.7 to viscosities above 2 mm²/s; its further terms matter below that alone.
_WALTHER_SHIFT = 0.7


class HydraulicFluid(NamedTuple):
    """A mineral hydraulic oil, by what its data sheet says.

    The default is an ISO VG 46 oil (ISO 3448: 46 mm²/s ± 10 % at 40 °C) of a viscosity index near
    100, the commonest grade of industrial hydraulics. Values at 100 °C and the density are those of
    Shell Tellus S2 M 46 (technical data sheet).
    """

    viscosity_40_c_mm2_s: float = 46.0
    """Kinematic, at 40 °C."""
    viscosity_100_c_mm2_s: float = 6.7
    """Kinematic, at 100 °C."""
    density_15_c_kg_m3: float = 879.0
    """At 15 °C."""
    expansion_per_k: float = 7.1e-4
    """Cubic thermal expansion at 15 °C; ASTM D1250 (table 54D) has 0.6278 / ρ₁₅ for lubricating
    oils."""

    @classmethod
    def of(cls, nominal: Mapping[str, float]) -> "HydraulicFluid":
        """Return the oil of a machine, from those of its nominal values that bear a field's name.

        What is not given is that of the default oil.
        """
        return cls(**{name: nominal[name] for name in cls._fields if name in nominal})

    def kinematic_viscosity_mm2_s(self, temperature_c: Tensor) -> Tensor:
        """Return ν [...] in mm²/s at `temperature_c` [...].

        Walther's equation as ASTM D341 has it, lg lg (ν + 0.7) = A - B lg T with T in K, through
        the oil's two points. Good from its pour point to some 150 °C.
        """
        at_40 = log10(log10(self.viscosity_40_c_mm2_s + _WALTHER_SHIFT))
        at_100 = log10(log10(self.viscosity_100_c_mm2_s + _WALTHER_SHIFT))
        slope = (at_40 - at_100) / (log10(100 + _KELVIN) - log10(40 + _KELVIN))
        double_log = at_40 - slope * (torch.log10(temperature_c + _KELVIN) - log10(40 + _KELVIN))
        return 10 ** (10**double_log) - _WALTHER_SHIFT

    def density_kg_m3(self, temperature_c: Tensor) -> Tensor:
        """Return ρ [...] in kg/m³ at `temperature_c` [...]: ρ₁₅ (1 - α (T - 15 °C)).

        Within 0.2 % of ASTM D1250's exponential law from -20 to 100 °C. Compression is left out:
        some 0.7 % at 100 bar.
        """
        return self.density_15_c_kg_m3 * (1 - self.expansion_per_k * (temperature_c - 15))

    def dynamic_viscosity_pa_s(self, temperature_c: Tensor) -> Tensor:
        """Return μ = ν ρ [...] in Pa s at `temperature_c` [...]."""
        kinematic_m2_s = 1e-6 * self.kinematic_viscosity_mm2_s(temperature_c)
        return kinematic_m2_s * self.density_kg_m3(temperature_c)
