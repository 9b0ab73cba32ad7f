"""The oil of many machines: viscosity, density, compressibility.

Shapes: B machines.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

KELVIN = 273.15
ATMOSPHERE_PA = 101_325.0
HEAT_CAPACITY_J_KG_K = 1_950.0
"""The specific heat of mineral oil at 50 °C (H. Murrenhoff, "Grundlagen der Fluidtechnik 1", 2011,
ch. 2)."""
BULK_MODULUS_PA = 1.5e9
"""The secant modulus of air-free mineral oil at 50 °C and 100 bar (N. D. Manring, R. C. Fales,
"Hydraulic Control Systems", 2nd ed. 2019, ch. 2)."""
WATER_VISCOSITY_PA_S = 1.0e-3
WATER_DENSITY_KG_M3 = 1_000.0

ISO_GRADES: dict[int, tuple[float, float]] = {32: (32.0, 5.4), 46: (46.0, 6.7), 68: (68.0, 8.6)}
"""ν in mm²/s at 40 and 100 °C of ISO VG 32, 46 and 68 (Shell Tellus S2 M technical data sheets)."""


@dataclass(frozen=True)
class Oils:
    """The oil of each of B machines; all fields [B]."""

    viscosity_40_c_mm2_s: Values
    viscosity_100_c_mm2_s: Values
    density_15_c_kg_m3: Values
    air_fraction: Values
    """The volume of entrained air at atmospheric pressure, as a share of the oil's volume."""

    def walther(self) -> tuple[Values, Values]:
        """Return A and B of lg lg (ν + 0.7) = A − B lg T (ASTM D341), ν in mm²/s, T in K."""
        at_40, at_100 = (
            np.log10(np.log10(each + 0.7))
            for each in (self.viscosity_40_c_mm2_s, self.viscosity_100_c_mm2_s)
        )
        slope = (at_40 - at_100) / (np.log10(100 + KELVIN) - np.log10(40 + KELVIN))
        return at_40 + slope * np.log10(40 + KELVIN), slope

    def dynamic_viscosity_pa_s(self, temperature_c: Values) -> Values:
        """Return μ [B] in Pa s at temperatures [B]."""
        kinematic = kinematic_viscosity_mm2_s(*self.walther(), temperature_c)
        return 1e-6 * kinematic * self.density_kg_m3(temperature_c)

    def density_kg_m3(self, temperature_c: Values) -> Values:
        """Return ρ₁₅ (1 − α (T − 15 °C)) [B] with α = 0.6278 / ρ₁₅ (ASTM D1250, table 54D)."""
        return self.density_15_c_kg_m3 - 0.6278 * (temperature_c - 15.0)


def kinematic_viscosity_mm2_s(a: Values, b: Values, temperature_c: Values) -> Values:
    """Return ν from Walther's A and B (see `Oils.walther`) and temperatures, which broadcast."""
    viscosity: Values = 10 ** (10 ** (a - b * np.log10(temperature_c + KELVIN))) - 0.7
    return viscosity
