"""The options of the detectors. Does not import torch, so that errors are reported quickly."""

from pydantic import Field

from hydrascope.schemas.base import CheckedModel


class MahalanobisConfig(CheckedModel):
    """The options of the Mahalanobis distance."""

    per_step: bool = False
    """Whether each step of a window has a mean and a covariance of its own. They then have to be of
    the same moments of a cycle. Otherwise all steps have the same."""
    robust: bool = False
    """Whether large deviations count by their size instead of their square, after Huber."""


class PcaConfig(CheckedModel):
    """The options of both statistics of the principal components."""

    explained: float = Field(default=0.9, gt=0.0, lt=1.0)
    """The share of the variance that the principal components explain."""


class NeighboursConfig(CheckedModel):
    """The options of the distance to the nearest neighbours."""

    neighbours: int = Field(default=5, ge=1, le=1000)
    """The number of nearest windows; all learned windows if there are fewer."""
    max_rows: int = Field(default=4000, ge=10, le=100_000)
    """The maximum number of learned windows of each build that are kept, drawn at random."""


class ForestConfig(CheckedModel):
    """The options of the isolation forest."""

    trees: int = Field(default=300, ge=1, le=10_000)
    """The number of trees."""
    samples: int = Field(default=256, ge=2, le=100_000)
    """The number of windows that each tree is grown from; all if there are fewer."""
