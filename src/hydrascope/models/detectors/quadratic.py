"""Detectors whose score is a quadratic form of a row: Hotelling's T² and SPE.

Shapes: n rows, D values of a row, K directions in which the rows vary.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hydrascope.models.detectors.config import PcaConfig
from hydrascope.models.detectors.rows import RowDetector, RowScorer

_RANK = 1e-12
"""The singular value, as a share of the largest, up to which a direction counts as constant."""


class Spread(NamedTuple):
    """How rows vary around their mean."""

    squares: Tensor
    """The squared singular values of the rows, [K], descending."""
    fourth: float
    """The sum of the fourth powers of the rows' lengths."""
    rows: int
    values: int
    """D"""


class Weights(NamedTuple):
    """The weights of a quadratic form."""

    within: Tensor
    """Of the first directions, [at most K]; the others have `beyond`."""
    beyond: float


class QuadraticForm(RowScorer):
    """Splits a quadratic form into the shares of the values.

        x' (V diag(w) V' + b (I − V V')) x = |A x|²,   A = V diag(√w) V' + √b (I − V V')

    V are the directions in which the learned rows vary. A is symmetric, so that value i has the
    share (A x)_i² (P. H. Garthwaite, I. Koch, Aust. N. Z. J. Stat. 58, 2016).

    Args:
        weigh: Returns the weights w and b for the spread of the learned rows.
    """

    directions: Tensor
    """V, [D, K]"""
    root: Tensor
    """√w, [K]"""
    beyond: Tensor
    """√b"""

    def __init__(self, weigh: Callable[[Spread], Weights]) -> None:
        super().__init__()
        self.weigh = weigh
        self.register_buffer("beyond", torch.zeros((), dtype=torch.float64))
        self.allocate(0, 0)

    def allocate(self, *sizes: int) -> None:
        """Allocate the buffers for D values and K directions."""
        values, directions = sizes
        self.register_buffer("directions", torch.zeros(values, directions, dtype=torch.float64))
        self.register_buffer("root", torch.zeros(directions, dtype=torch.float64))

    def sizes(self) -> list[int]:
        """Return D and K."""
        return list(self.directions.shape)

    def fit(self, rows: Tensor, seed: int) -> None:  # noqa: ARG002 (nothing is random)
        """Find the directions of rows [n, D] and weigh them."""
        _, singular, directions = torch.linalg.svd(rows, full_matrices=False)
        kept = singular > _RANK * singular[0]
        fourth = float(rows.square().sum(1).square().sum())
        weights = self.weigh(Spread(singular[kept].square(), fourth, *rows.shape))
        count = len(weights.within)
        self.allocate(rows.shape[1], count)
        self.directions.copy_(directions[kept][:count].T)
        self.root.copy_(weights.within.sqrt())
        self.beyond.fill_(weights.beyond**0.5)

    def forward(self, rows: Tensor) -> Tensor:
        """Return A x, [G, D]."""
        along = rows @ self.directions
        weighted = (along * (self.root - self.beyond)) @ self.directions.T
        return weighted + self.beyond * rows


def _components(spread: Spread, explained: float) -> int:
    """Return the number of principal components that explain more than this share."""
    share = spread.squares.cumsum(0) / spread.squares.sum()
    first = int(torch.searchsorted(share, explained, right=True)) + 1
    return min(first, len(share))


class PcaT2(RowDetector):
    """Hotelling's T² within the principal components: how unusual the known variation is.

    J. E. Jackson, "A User's Guide to Principal Components", 1991.
    """

    Config = PcaConfig

    def make_scorer(self, config: Any) -> RowScorer:
        """Return the scorer of one build."""

        def weigh(spread: Spread) -> Weights:
            count = _components(spread, config.explained)
            return Weights((spread.rows - 1) / spread.squares[:count], 0.0)

        return QuadraticForm(weigh)


class PcaSpe(RowDetector):
    """The squared prediction error outside the principal components, also called Q.

    J. E. Jackson, G. S. Mudholkar, Technometrics 21, 1979.
    """

    Config = PcaConfig

    def make_scorer(self, config: Any) -> RowScorer:
        """Return the scorer of one build."""

        def weigh(spread: Spread) -> Weights:
            count = _components(spread, config.explained)
            return Weights(torch.zeros_like(spread.squares[:count]), 1.0)

        return QuadraticForm(weigh)
