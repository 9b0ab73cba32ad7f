"""The options of the linear model. Does not import torch, so that errors are reported quickly."""

from pydantic import Field

from hydrascope.schemas.base import CheckedModel


class LinearConfig(CheckedModel):
    """The options of the linear model's fit."""

    ridge: float = Field(default=5.0, gt=0.0)
    """The penalty on the squared weights, in units of the weight of one window."""
