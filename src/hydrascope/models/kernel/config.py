"""The options of the discriminant. Does not import torch, so that errors are reported quickly."""

from pydantic import Field

from hydrascope.schemas.base import CheckedModel


class DiscriminantConfig(CheckedModel):
    """The options of the kernel discriminant's fit."""

    draws: int = Field(default=3, ge=1, le=20)
    """The number of fits that are averaged, each with its own transplants."""
    steps: int = Field(default=60, ge=0, le=10_000)
    """The number of steps in the training of the metric."""
    learning_rate: float = Field(default=0.1, gt=0.0)
    """The learning rate of that training (Adam, cosine to 0)."""
    transplants: int = Field(default=5, ge=0, le=1000)
    """The number of rows added to each combination by drift transplant."""
    max_rows: int = Field(default=4000, ge=100, le=20_000)
    """The maximum number of windows, before transplants; time grows with its square."""
