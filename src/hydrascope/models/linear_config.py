"""The options of the linear model. Does not import torch, so that errors are reported quickly."""

from pydantic import BaseModel, ConfigDict, Field


class LinearConfig(BaseModel):
    """The options of the linear model's fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ridge: float = Field(default=5.0, gt=0.0)
    """The penalty on the squared weights, in units of the weight of one window."""
