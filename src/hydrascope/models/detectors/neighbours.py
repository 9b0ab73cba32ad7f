"""The distance to the nearest learned windows.

Shapes: G graphs, n learned windows, D values of a row.
"""

import numpy as np
import torch
from torch import Tensor

from hydrascope.models.detectors.config import NeighboursConfig
from hydrascope.models.detectors.rows import RowDetector, RowScorer


class NeighbourDistance(RowScorer):
    """The mean squared Euclidean distance to the nearest learned rows.

    Args:
        neighbours: The number of nearest rows; all if there are fewer.
        max_rows: The maximum number of rows that are kept.
    """

    support: Tensor
    """[n, D]"""

    def __init__(self, neighbours: int, max_rows: int) -> None:
        super().__init__()
        self.neighbours, self.max_rows = neighbours, max_rows
        self.allocate(0, 0)

    def allocate(self, *sizes: int) -> None:
        """Allocate n rows of D values."""
        self.register_buffer("support", torch.zeros(sizes, dtype=torch.float64))

    def sizes(self) -> list[int]:
        """Return n and D."""
        return list(self.support.shape)

    def fit(self, rows: Tensor, seed: int) -> None:
        """Keep the rows, or as many drawn at random as are allowed."""
        if len(rows) > self.max_rows:
            drawn = np.random.default_rng(seed).choice(len(rows), self.max_rows, replace=False)
            rows = rows[np.sort(drawn)]
        self.allocate(*rows.shape)
        self.support.copy_(rows)

    def forward(self, rows: Tensor) -> Tensor:
        """Return each value's root mean squared distance, [G, D], with the sign of the mean."""
        count = min(self.neighbours, len(self.support))
        # Of the squared distance, the part that differs between the learned rows.
        apart = self.support.square().sum(1) - 2.0 * rows @ self.support.T
        nearest = apart.topk(count, dim=1, largest=False).indices
        total, squares = torch.zeros_like(rows), torch.zeros_like(rows)
        for number in range(count):  # one after the other, so that memory stays small
            distance = rows - self.support[nearest[:, number]]
            total, squares = total + distance, squares + distance.square()
        own = (squares / count).sqrt()
        return torch.where(total < 0, -own, own)


class NearestNeighbours(RowDetector):
    """The root mean squared distance to the nearest learned windows.

    S. Ramaswamy, R. Rastogi, K. Shim, "Efficient algorithms for mining outliers from large data
    sets", SIGMOD 2000, with the mean over the neighbours.
    """

    Config = NeighboursConfig

    def make_scorer(self, config: NeighboursConfig) -> RowScorer:
        """Return the scorer of one build."""
        return NeighbourDistance(config.neighbours, config.max_rows)
