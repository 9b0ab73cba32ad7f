"""The oil, against a data sheet, against ASTM D1250, and against its own two points."""

import numpy as np
import pytest
import torch

from hydrascope.graphs.fluid import HydraulicFluid

OIL = HydraulicFluid()
TELLUS_S2_M = {
    # ISO VG: mm²/s at 0, 40 and 100 °C (technical data sheet of Shell Tellus S2 M)
    32: (338.0, 32.0, 5.4),
    46: (580.0, 46.0, 6.7),
    68: (1040.0, 68.0, 8.6),
    100: (1790.0, 100.0, 11.1),
}


def celsius(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("grade", TELLUS_S2_M)
def test_a_published_viscosity_at_freezing_follows_from_the_two_others(grade: int) -> None:
    cold, warm, hot = TELLUS_S2_M[grade]
    oil = HydraulicFluid(viscosity_40_c_mm2_s=warm, viscosity_100_c_mm2_s=hot)
    actual = oil.kinematic_viscosity_mm2_s(celsius(0, 40, 100))
    assert actual[1:].tolist() == pytest.approx([warm, hot], rel=1e-9)
    # The 100 °C value is rounded to two digits, which moves the one at 0 °C by some 2 %.
    assert actual[0].item() == pytest.approx(cold, rel=0.05)


def test_viscosity_is_a_straight_line_on_the_chart_of_astm_d341() -> None:
    temperature = celsius(-10, 0, 25, 55, 80, 110)
    viscosity = OIL.kinematic_viscosity_mm2_s(temperature).numpy()
    x = np.log10(temperature.numpy() + 273.15)
    y = np.log10(np.log10(viscosity + 0.7))
    slope, intercept = np.polyfit(x, y, 1)
    np.testing.assert_allclose(y, slope * x + intercept, atol=1e-9)
    assert (np.diff(viscosity) < 0).all()


def test_density_follows_astm_d1250_for_lubricating_oils() -> None:
    # Table 54D: ρ = ρ₁₅ exp(-α ΔT (1 + 0.8 α ΔT)) with α = 0.6278 / ρ₁₅
    temperature = np.linspace(-20, 100, 25)
    alpha, delta = 0.6278 / 879, temperature - 15
    expected = 879 * np.exp(-alpha * delta * (1 + 0.8 * alpha * delta))
    actual = OIL.density_kg_m3(torch.from_numpy(temperature)).numpy()
    np.testing.assert_allclose(actual, expected, rtol=2e-3)
    assert OIL.density_kg_m3(celsius(15)).item() == 879.0


def test_a_machine_may_name_its_oil_among_its_nominal_values() -> None:
    oil = HydraulicFluid.of({"viscosity_40_c_mm2_s": 32.0, "power_kw": 11.0})
    assert oil == OIL._replace(viscosity_40_c_mm2_s=32.0)


def test_temperatures_may_have_any_batch_axes_and_single_precision() -> None:
    temperature = torch.linspace(0, 100, 24).reshape(2, 3, 4)
    actual = OIL.kinematic_viscosity_mm2_s(temperature)
    assert actual.shape == (2, 3, 4)
    exact = OIL.kinematic_viscosity_mm2_s(temperature.double())
    torch.testing.assert_close(actual, exact.float(), rtol=1e-4, atol=0)
