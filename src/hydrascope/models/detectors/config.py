"""The options of the detectors. Does not import torch, so that errors are reported quickly."""

from pydantic import Field

from hydrascope.schemas.base import CheckedModel


class MahalanobisConfig(CheckedModel):
    """The options of the Mahalanobis distance."""

    per_step: bool = False
    """Whether each step of a window has its own mean and covariance. All windows then have to show
    the same cycle. Otherwise the steps share one mean and one covariance."""
    robust: bool = False
    """Whether a large deviation counts by its size instead of its square (P. J. Huber, 1964)."""


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
