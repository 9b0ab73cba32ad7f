"""A default that stands in `conf/` and in a class is one default."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from hydrascope.data.build import StoreConfig
from hydrascope.data.loaders import DataLoaderConfig
from hydrascope.data.recombination import RecombinationSpec
from hydrascope.data.references import ReferenceSpec
from hydrascope.data.split_spec import SplitSpec
from hydrascope.experiment.config_files import CONF
from hydrascope.features.config import FeatureConfig
from hydrascope.models.config import LinearConfig, NetworkConfig
from hydrascope.models.detectors.config import (
    ForestConfig,
    MahalanobisConfig,
    NeighboursConfig,
    PcaConfig,
)
from hydrascope.models.kernel.config import DiscriminantConfig
from hydrascope.schemas import validate
from hydrascope.schemas.normality import NormalitySpec
from hydrascope.simulation.fleet_settings import FleetSettings
from hydrascope.telemetry.folder.settings import FolderSettings
from hydrascope.telemetry.rig.simulated import SimulatedRigs
from hydrascope.telemetry.timescale.settings import database_settings
from hydrascope.telemetry.timescale.source import POOL, SourceSettings

DATABASE = ("dsn", "password_file", *POOL, "timeout_s", "retry_for_s")


def conf(group: str, *path: str) -> dict[str, Any]:
    """The keys of a file of `conf/`, or of a part of it."""
    found = yaml.safe_load((CONF / f"{group}.yaml").read_text("utf-8"))
    for name in path:
        found = found[name]
    return {key: value for key, value in found.items() if key not in ("_target_", "defaults")}


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (FeatureConfig, conf("features/default")),
        (NetworkConfig, conf("model/gatv2_arma")),
        (DiscriminantConfig, conf("model/discriminant")),
        (LinearConfig, conf("model/linear")),
        (MahalanobisConfig, conf("model/mahalanobis")),
        (PcaConfig, conf("model/pca_t2")),
        (PcaConfig, conf("model/pca_spe")),
        (NeighboursConfig, conf("model/nearest_neighbours")),
        (ForestConfig, conf("model/isolation_forest")),
        (NormalitySpec, conf("task/normality", "normality")),
    ],
)
def test_a_class_and_its_file_have_the_same_keys_and_defaults(
    kind: type[BaseModel], keys: dict[str, Any]
) -> None:
    keys.pop("name", None)
    fields = kind.model_fields.items()
    assert keys.keys() == {field.serialization_alias or name for name, field in fields}
    assert kind.model_validate(keys) == kind()


def test_a_folder_is_read_by_the_class_as_by_the_file() -> None:
    keys = conf("data/parquet", "source") | {"folder": "rig"}
    assert keys.keys() == FolderSettings.model_fields.keys()
    assert validate(FolderSettings, keys) == validate(FolderSettings, {"folder": "rig"})


def test_a_database_is_read_by_the_class_as_by_the_file() -> None:
    keys = conf("data/timescale", "source") | {"dsn": "postgresql://host/rig"}
    database = {name: keys.pop(name) for name in DATABASE}
    assert database_settings(**database) == database_settings(dsn=database["dsn"], **POOL)
    assert keys.keys() == SourceSettings.model_fields.keys()
    assert validate(SourceSettings, keys) == SourceSettings()


def test_every_setting_of_a_fleet_can_be_named_in_a_training() -> None:
    named = {each.name for each in fields(FleetSettings)}
    own = named - {"kinds", "files", "duty", "circuits"}
    assert conf("data/fleet", "source").keys() == own | {"kinds"}
    assert conf("data/simulated", "source").keys() == own | {"machines", "duty"}
    assert conf("data/random_circuits", "source").keys() == own | {"circuits"}


def test_simulated_rigs_have_the_defaults_of_their_file() -> None:
    keys = conf("data/rig_simulation", "source")
    own = {each.name: each.default for each in fields(SimulatedRigs)}
    assert own.pop("machine_file") is MISSING
    assert keys.pop("machine_file") == "examples/rig/rig.yaml"
    assert keys == own


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (SplitSpec, conf("data/base", "split")),
        (StoreConfig, conf("data/base", "store")),
        (ReferenceSpec, conf("data/base", "reference")),
        (RecombinationSpec, conf("data/base", "transforms")),
        (DataLoaderConfig, conf("data/base")),
    ],
)
def test_what_a_class_has_a_default_for_is_that_of_the_file(
    kind: type, keys: Mapping[str, object]
) -> None:
    defaults = {each.name: each.default for each in fields(kind) if each.default is not MISSING}
    both = keys.keys() & defaults.keys()
    assert len(both) >= 2
    assert {name: defaults[name] for name in both} == {name: keys[name] for name in both}
