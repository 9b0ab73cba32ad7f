"""Flow in a line: White's worked example, Hagen–Poiseuille and Colebrook."""

from math import log10, pi

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor

from hydrascope.graphs.flow import LAMINAR_RE, TURBULENT_RE, line_flow_m3_s

G = 9.81


def line(**values: float) -> dict[str, Tensor]:
    """A 16 mm, 2.5 m steel line with ISO VG 46 at 40 °C, unless said otherwise."""
    usual = {
        "diameter_m": 0.016,
        "length_m": 2.5,
        "roughness_m": 2e-6,
        "density_kg_m3": 861.0,
        "viscosity_m2_s": 46e-6,
    }
    return {k: torch.tensor(v, dtype=torch.float64) for k, v in (usual | values).items()}


def double(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def colebrook(reynolds: float, relative_roughness: float) -> float:
    """f, solved numerically."""

    def fault(root: float) -> float:
        return root + 2 * log10(relative_roughness / 3.7 + 2.51 * root / reynolds)

    return brentq(fault, 1, 100, xtol=1e-14) ** -2


def test_flow_of_a_worked_example() -> None:
    # F. M. White, "Fluid Mechanics", example 6.9: 8 m of head over 100 m of a 30 cm pipe,
    # ε/d = 0.0002: Q = 0.342 m³/s.
    oil_line = line(
        diameter_m=0.3,
        length_m=100.0,
        roughness_m=0.3 * 2e-4,
        density_kg_m3=950.0,
        viscosity_m2_s=2e-5,
    )
    assert line_flow_m3_s(double(950 * G * 8.0), **oil_line).item() == pytest.approx(
        0.342, abs=5e-4
    )


@pytest.mark.parametrize("drop_pa", [1e-3, 1.0, 1e3, 2e4])
def test_laminar_flow_is_that_of_hagen_and_poiseuille(drop_pa: float) -> None:
    expected = pi * 0.016**4 * drop_pa / (128 * 46e-6 * 861.0 * 2.5)
    assert 4 * expected / (pi * 0.016 * 46e-6) < LAMINAR_RE
    assert line_flow_m3_s(double(drop_pa), **line()).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("relative_roughness", [1e-6, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("reynolds", [5e3, 2e4, 1e5, 1e6, 1e8])
def test_turbulent_flow_is_within_two_percent_of_colebrook(
    reynolds: float, relative_roughness: float
) -> None:
    pipe = line(roughness_m=0.016 * relative_roughness)
    velocity = reynolds * 46e-6 / 0.016
    factor = colebrook(reynolds, relative_roughness)
    drop_pa = factor * 2.5 / 0.016 * 861.0 * velocity**2 / 2
    flow = line_flow_m3_s(double(drop_pa), **pipe).item()
    assert flow == pytest.approx(velocity * pi * 0.016**2 / 4, rel=0.02)


def test_more_pressure_gives_more_flow_without_a_step_or_a_kink_that_the_laws_do_not_have() -> None:
    drop_pa = torch.logspace(4, 7, 100_001, dtype=torch.float64)
    for roughness_m in (0.0, 1e-5, 1.6e-4):
        flow = line_flow_m3_s(drop_pa, **line(roughness_m=roughness_m))
        reynolds = 4 * flow / (pi * 0.016 * 46e-6)
        assert reynolds[0] < LAMINAR_RE
        assert reynolds[-1] > TURBULENT_RE
        slope = flow.log().diff() / drop_pa.log().diff()
        assert (slope > 0).all()
        assert slope.diff().abs().max() < 1e-3  # of slopes between 0.1 and 1


def test_flow_turns_round_with_the_pressure() -> None:
    drop_pa = torch.tensor([1e2, 1e5, 1e6])
    single = {name: value.float() for name, value in line().items()}
    forth, back = line_flow_m3_s(drop_pa, **single), line_flow_m3_s(-drop_pa, **single)
    assert torch.equal(forth, -back)
    assert (forth > 0).all()
    assert line_flow_m3_s(torch.zeros(1), **single).item() == 0.0


def test_a_rougher_wall_lets_less_through_and_an_unknown_pressure_stays_unknown() -> None:
    smooth = line_flow_m3_s(double(1e6), **line(roughness_m=1e-6))
    rough = line_flow_m3_s(double(1e6), **line(roughness_m=1e-4))
    assert rough < 0.9 * smooth
    assert line_flow_m3_s(double(float("nan")), **line()).isnan()


def test_lines_and_steps_broadcast() -> None:
    diameters = torch.tensor([[0.01], [0.016], [0.025]], dtype=torch.float64)
    drops = torch.tensor([1e4, 1e5], dtype=torch.float64)
    both = line_flow_m3_s(drops, **(line() | {"diameter_m": diameters}))
    assert both.shape == (3, 2)
    for row, diameter in enumerate(diameters.flatten().tolist()):
        one = line_flow_m3_s(drops, **line(diameter_m=diameter))
        np.testing.assert_allclose(both[row].numpy(), one.numpy(), rtol=1e-12)


def test_the_oracle_itself_agrees_with_the_moody_chart() -> None:
    # White reads 0.0225 off the chart in his example 6.7.
    assert colebrook(128_000, 0.0013) == pytest.approx(0.0225, rel=0.02)
