"""What a user can choose of the readout. No torch here, so that a wrong value answers at once."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class HeadsConfig(BaseModel):
    """The network's own heads answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["heads"]


class DiscriminantConfig(BaseModel):
    """The kernel discriminant answers the component heads that have classes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["discriminant"]
    inputs: Literal["features", "embedding", "both"]
    """What it compares windows by: the sensors' features, the network's embedding, or both."""
    draws: int = Field(ge=1, le=20)
    """Fits, each with transplants of its own, whose answers are averaged."""
    steps: int = Field(ge=0, le=10_000)
    """Steps of the metric's training."""
    learning_rate: float = Field(gt=0.0)
    transplants: int = Field(ge=0, le=1000)
    """Rows added to each combination by drift transplant."""
    max_rows: int = Field(ge=100, le=20_000)
    """Windows kept at most, before transplants; time grows with the square of it."""


class LinearConfig(BaseModel):
    """A map that is linear in the sensors' features answers the labels of whole machines."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["linear"]
    ridge: float = Field(gt=0.0)
    """Penalty on the squares of the weights, as much as so many windows weigh."""


ReadoutConfig = HeadsConfig | DiscriminantConfig | LinearConfig
