"""The settings of the model; the keys of our own models are known without importing them."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from hydrascope.experiment.base import Target
from hydrascope.models.config import LinearConfig, NetworkConfig
from hydrascope.models.detectors.config import (
    ForestConfig,
    MahalanobisConfig,
    NeighboursConfig,
    PcaConfig,
)
from hydrascope.models.kernel.config import DiscriminantConfig

OUR_NETWORK = "hydrascope.models.network.UniversalTemporalGNN"
OUR_DISCRIMINANT = "hydrascope.models.kernel.model.KernelDiscriminant"
OUR_LINEAR = "hydrascope.models.linear.LinearModel"
_DETECTORS = "hydrascope.models.detectors"


def _class_name(given: Mapping[str, Any]) -> str:
    return str(given.get("target", "")).rpartition(".")[2]


class ModelSettings(Target):
    """A model that the user chooses: `_target_` names its class, other keys form its `Config`."""

    name: str = Field(default_factory=_class_name, min_length=1)
    """The model's name in results; the name of its class by default."""

    @property
    def keys(self) -> dict[str, Any]:
        """The keys of its `Config`."""
        return self.model_dump(by_alias=True, exclude={"target", "name"})

    @property
    def closed_form(self) -> bool:
        """Whether it is one of our models that are fitted without epochs and gradients."""
        return self.target in (OUR_DISCRIMINANT, OUR_LINEAR, *OUR_DETECTORS)


class NetworkSettings(NetworkConfig, ModelSettings, extra="forbid"):
    """Our own network."""


class DiscriminantSettings(DiscriminantConfig, ModelSettings, extra="forbid"):
    """The kernel discriminant."""


class LinearSettings(LinearConfig, ModelSettings, extra="forbid"):
    """The linear model."""


class MahalanobisSettings(MahalanobisConfig, ModelSettings, extra="forbid"):
    """The Mahalanobis distance."""


class PcaSettings(PcaConfig, ModelSettings, extra="forbid"):
    """Hotelling's T² and the squared prediction error."""


class NeighboursSettings(NeighboursConfig, ModelSettings, extra="forbid"):
    """The distance to the nearest neighbours."""


class ForestSettings(ForestConfig, ModelSettings, extra="forbid"):
    """The isolation forest."""


OUR_DETECTORS: Mapping[str, type[ModelSettings]] = {
    f"{_DETECTORS}.mahalanobis.Mahalanobis": MahalanobisSettings,
    f"{_DETECTORS}.quadratic.PcaT2": PcaSettings,
    f"{_DETECTORS}.quadratic.PcaSpe": PcaSettings,
    f"{_DETECTORS}.neighbours.NearestNeighbours": NeighboursSettings,
    f"{_DETECTORS}.forest.IsolationForest": ForestSettings,
}
"""Class name → settings of our detectors, which score normality without heads."""
