import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError

from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.schemas import SpecError

GROUPS = ("statistical", "frequency", "temporal", "levels", "patch")


def test_the_defaults_make_17_features_and_the_other_groups_23() -> None:
    config = FeatureConfig()
    assert (config.statistical_count, config.patch_count) == (11, 6)
    assert config.sensor_feature_count == 17
    others = FeatureConfig(frequency=True, temporal=True)
    assert (others.frequency_count, others.temporal_count) == (12, 11)


@pytest.mark.parametrize("chosen", [GROUPS, *((group,) for group in GROUPS), GROUPS[1:3]])
def test_counts_and_names_equal_what_is_extracted(chosen: tuple[str, ...]) -> None:
    config = FeatureConfig(
        **{group: group in chosen for group in GROUPS},
        percentiles=(1, 12.5, 99),
        num_frequencies=4,
        window_sizes=(7, 3),
        autocorrelation_lags=(2,),
        patch_length=9,
    )
    engineer = FeatureEngineer(config)
    extracted = engineer(torch.randn(2, 40), 10.0).shape[-1]
    assert extracted == engineer.num_features == len(engineer.feature_names)
    assert extracted == sum(getattr(config, f"{group}_count") for group in GROUPS)
    assert len(set(engineer.feature_names)) == extracted


def test_lists_may_be_empty() -> None:
    config = FeatureConfig(
        frequency=True,
        temporal=True,
        patch=False,
        percentiles=(),
        window_sizes=(),
        autocorrelation_lags=(),
    )
    assert FeatureEngineer(config)(torch.randn(2, 40), 1.0).shape == (2, 6 + 12 + 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("percentiles", (101,)),
        ("percentiles", (5, 5)),
        ("num_frequencies", 0),
        ("window_sizes", (0,)),
        ("autocorrelation_lags", (0,)),
        ("ema_span", 0),
        ("patch_length", 0),
        ("min_valid_fraction", 0),
        ("min_valid_fraction", 1.5),
        ("wavelets", True),
    ],
)
def test_a_value_out_of_range_or_an_unknown_field_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        FeatureConfig.model_validate({field: value})


def test_a_config_without_any_sensor_group_is_refused() -> None:
    with pytest.raises(SpecError, match="switch on at least one"):
        FeatureConfig(statistical=False, patch=False)


@pytest.mark.parametrize("group", ["hydraulic", "edge_dynamic"])
def test_what_is_computed_from_means_needs_the_statistical_group(group: str) -> None:
    with pytest.raises(ValidationError, match="computed from the sensors' means"):
        FeatureConfig.model_validate({"statistical": False, group: True})


def test_groups_of_lines_and_machines_are_no_features_of_a_sensor() -> None:
    config = FeatureConfig(hydraulic=True, edge_dynamic=True)
    assert config.sensor_feature_count == FeatureConfig().sensor_feature_count == 17
    assert config.hydraulic_count == len(config.hydraulic_names) == 4
    assert FeatureConfig().hydraulic_count == 0


def test_switches_have_one_name_in_python_and_a_shorter_one_in_files() -> None:
    config = FeatureConfig(use_frequency=False, use_temporal=False, use_hydraulic=True)
    in_file = {"frequency": False, "temporal": False, "hydraulic": True}
    assert config == FeatureConfig.model_validate(in_file)
    assert in_file.items() <= config.model_dump(by_alias=True).items()
    assert FeatureConfig.model_validate(config.model_dump()) == config


def test_the_config_needs_no_torch() -> None:
    check = "import sys, hydrascope.features.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
