"""Which model is trained, and how its own keys are known without importing it."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field

from hydrascope.experiment.base import Target
from hydrascope.models.config import NetworkConfig
from hydrascope.models.kernel.config import DiscriminantConfig
from hydrascope.models.linear_config import LinearConfig

OUR_NETWORK = "hydrascope.models.network.UniversalTemporalGNN"
OUR_DISCRIMINANT = "hydrascope.models.kernel.model.KernelDiscriminant"
OUR_LINEAR = "hydrascope.models.linear.LinearModel"


def _class_name(given: Mapping[str, Any]) -> str:
    return str(given.get("target", "")).rpartition(".")[2]


class ModelSettings(Target):
    """A model of the user's choice: `_target_` names its class, the other keys are its `Config`."""

    name: str = Field(default_factory=_class_name, min_length=1)
    """What it is called wherever its figures stand; the name of its class if not given."""

    @property
    def keys(self) -> dict[str, Any]:
        """Return what its `Config` is made of."""
        return self.model_dump(by_alias=True, exclude={"target", "name"})

    @property
    def closed_form(self) -> bool:
        """Whether it is one of ours that is fitted without epochs and gradients."""
        return self.target in (OUR_DISCRIMINANT, OUR_LINEAR)


class NetworkSettings(NetworkConfig, ModelSettings):
    """Our own network."""

    model_config = ConfigDict(extra="forbid")


class DiscriminantSettings(DiscriminantConfig, ModelSettings):
    """The kernel discriminant."""

    model_config = ConfigDict(extra="forbid")


class LinearSettings(LinearConfig, ModelSettings):
    """The linear model."""

    model_config = ConfigDict(extra="forbid")
