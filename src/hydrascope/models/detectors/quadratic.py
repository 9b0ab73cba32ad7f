"""Detectors whose score is a quadratic form of a row: Hotelling's T² and SPE.

Shapes: n rows, D values of a row, K directions in which the rows vary.
"""

import torch
from torch import Tensor

from hydrascope.models.detectors.config import PcaConfig
from hydrascope.models.detectors.rows import RowDetector, RowScorer

_RANK = 1e-12
"""The singular value, as a share of the largest, up to which a direction counts as constant."""


class QuadraticForm(RowScorer):
    """Splits a quadratic form into the shares of the values.

        x' (V diag(w) V' + b (I − V V')) x = |A x|²,   A = V diag(√w) V' + √b (I − V V')

    V are the principal components: the first directions in which the learned rows vary. A is
    symmetric, so that value i has the share (A x)_i² (P. H. Garthwaite, I. Koch, Aust. N. Z. J.
    Stat. 58, 2016).

    Args:
        explained: The share of the variance that the principal components explain.
        outside: Whether what is outside them counts (w = 0, b = 1), or else what is within them
            (w = 1 / variance, b = 0).
    """

    directions: Tensor
    """V, [D, K]"""
    root: Tensor
    """√w, [K]"""
    beyond: Tensor
    """√b"""

    def __init__(self, explained: float, *, outside: bool) -> None:
        super().__init__()
        self.explained, self.outside = explained, outside
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
        """Find the principal components of rows [n, D] and weigh them."""
        _, singular, directions = torch.linalg.svd(rows, full_matrices=False)
        kept = singular > _RANK * singular[0]
        squares = singular[kept].square()
        share = squares.cumsum(0) / squares.sum()
        first = int(torch.searchsorted(share, self.explained, right=True)) + 1
        count = min(first, len(share))
        self.allocate(rows.shape[1], count)
        self.directions.copy_(directions[kept][:count].T)
        if not self.outside:
            self.root.copy_(((len(rows) - 1) / squares[:count]).sqrt())
        self.beyond.fill_(float(self.outside))

    def forward(self, rows: Tensor) -> Tensor:
        """Return A x, [G, D]."""
        along = rows @ self.directions
        weighted = (along * (self.root - self.beyond)) @ self.directions.T
        return weighted + self.beyond * rows


class PcaT2(RowDetector):
    """Hotelling's T² within the principal components: how unusual the known variation is.

    J. E. Jackson, "A User's Guide to Principal Components", 1991.
    """

    Config = PcaConfig

    def make_scorer(self, config: PcaConfig) -> RowScorer:
        """Return the scorer of one build."""
        return QuadraticForm(config.explained, outside=False)


class PcaSpe(RowDetector):
    """The squared prediction error outside the principal components, also called Q.

    J. E. Jackson, G. S. Mudholkar, Technometrics 21, 1979.
    """

    Config = PcaConfig

    def make_scorer(self, config: PcaConfig) -> RowScorer:
        """Return the scorer of one build."""
        return QuadraticForm(config.explained, outside=True)
