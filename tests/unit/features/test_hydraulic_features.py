import pytest
import torch
from torch import Tensor

from hydrascope.features.config import FeatureConfig
from hydrascope.features.hydraulic import OperatingPoint, hydraulic_features

NOMINAL = {
    "upstream_pressure_bar": 160.0,
    "downstream_pressure_bar": 10.0,
    "inlet_temperature_c": 41.0,
    "outlet_temperature_c": 49.5,
    "measured_flow_l_min": 9.2,
    "theoretical_flow_l_min": 10.0,
}


def evaluate(**changes: float) -> tuple[Tensor, Tensor]:
    means = {name: torch.tensor([value]) for name, value in (NOMINAL | changes).items()}
    return hydraulic_features(OperatingPoint(**means), vapour_pressure_bar=0.5)


def test_the_four_features_follow_their_definitions() -> None:
    features, known = evaluate()
    assert known.all()
    assert features.shape == (1, FeatureConfig(hydraulic=True).hydraulic_count)
    expected = [10 / 160, 8.5, 0.92, (160 - 0.5) / (160 - 10)]
    assert features[0].tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("quantity", "unknown"),
    [
        ("upstream_pressure_bar", [0, 3]),
        ("downstream_pressure_bar", [0, 3]),
        ("inlet_temperature_c", [1]),
        ("outlet_temperature_c", [1]),
        ("measured_flow_l_min", [2]),
        ("theoretical_flow_l_min", [2]),
    ],
)
def test_an_unknown_quantity_masks_exactly_what_depends_on_it(
    quantity: str, unknown: list[int]
) -> None:
    features, known = evaluate(**{quantity: float("nan")})
    assert (~known[0]).nonzero().flatten().tolist() == unknown
    assert (features[0, unknown] == 0).all()


def test_a_machine_at_rest_has_no_ratios_but_a_temperature_difference() -> None:
    features, known = evaluate(
        upstream_pressure_bar=0.0, downstream_pressure_bar=0.0, theoretical_flow_l_min=0.0
    )
    assert known[0].tolist() == [False, True, False, False]
    assert torch.isfinite(features).all()


def test_no_pressure_drop_leaves_the_cavitation_index_undefined() -> None:
    _, known = evaluate(downstream_pressure_bar=160.0)
    assert known[0].tolist() == [True, True, True, False]
