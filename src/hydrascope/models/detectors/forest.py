"""The isolation forest, grown by scikit-learn and stored as tensors.

Shapes: G graphs, n learned windows, D values of a row, B trees, M nodes of the largest tree.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.models.detectors.config import ForestConfig
from hydrascope.models.detectors.rows import RowDetector, RowScorer


class TreePaths(RowScorer):
    """The anomaly score 2^(−h/c) by the mean path length h in the trees.

    c is the mean path length of a search for one of the samples of a tree (F. T. Liu, K. M. Ting,
    Z.-H. Zhou, "Isolation forest", ICDM 2008, eq. 1 and 2).

    Args:
        trees: The number of trees.
        samples: The number of rows that each is grown from; all if there are fewer.
    """

    value: Tensor
    """The value that a node looks at, [B, M] int64."""
    limit: Tensor
    """The largest number with which a row goes left, [B, M]."""
    successor: Tensor
    """The left and the right child of a node, [2, B, M] int64; a leaf is its own child."""
    length: Tensor
    """The path length c of a row that ends in a leaf, [B, M]."""
    usual: Tensor
    """c"""

    def __init__(self, trees: int, samples: int) -> None:
        super().__init__()
        self.trees, self.samples = trees, samples
        self.register_buffer("usual", torch.ones((), dtype=torch.float64))
        self.allocate(0, 0, 0)

    def allocate(self, *sizes: int) -> None:
        """Allocate B trees of M nodes and this depth."""
        *shape, self.depth = sizes
        self.register_buffer("value", torch.zeros(shape, dtype=torch.int64))
        self.register_buffer("limit", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("successor", torch.zeros(2, *shape, dtype=torch.int64))
        self.register_buffer("length", torch.zeros(shape, dtype=torch.float64))

    def sizes(self) -> list[int]:
        """Return B, M and the depth of the deepest tree."""
        return [*self.value.shape, self.depth]

    def fit(self, rows: Tensor, seed: int) -> None:
        """Grow the trees."""
        from sklearn.ensemble import IsolationForest as Grown  # a service does not need it

        samples = min(self.samples, len(rows))
        grown = Grown(n_estimators=self.trees, max_samples=samples, random_state=seed)
        trees = [estimator.tree_ for estimator in grown.fit(rows.numpy()).estimators_]
        nodes = max(tree.node_count for tree in trees)
        self.allocate(len(trees), nodes, max(tree.max_depth for tree in trees))
        for number, tree in enumerate(trees):
            own, leaf = slice(tree.node_count), tree.children_left < 0
            self.value[number, own] = torch.from_numpy(np.where(leaf, 0, tree.feature))
            self.limit[number, own] = torch.from_numpy(np.asarray(tree.threshold))
            for side, child in enumerate((tree.children_left, tree.children_right)):
                at = np.where(leaf, np.arange(len(leaf)), child)
                self.successor[side, number, own] = torch.from_numpy(at)
            lengths = _depths(tree.children_left, tree.children_right)
            lengths += _mean_path(tree.n_node_samples)
            self.length[number, own] = torch.from_numpy(lengths)
        self.usual.fill_(float(_mean_path(np.array([samples]))[0]))

    def forward(self, rows: Tensor) -> Tensor:
        """Return the scores, [G, 1]."""
        rows = rows.float().double()  # as scikit-learn, whose trees read single precision
        trees = torch.arange(len(self.value), device=rows.device)
        node = torch.zeros(rows.shape[0], len(trees), dtype=torch.int64, device=rows.device)
        for _ in range(self.depth):
            right = rows.gather(1, self.value[trees, node]) > self.limit[trees, node]
            node = self.successor[right.long(), trees, node]
        path = self.length[trees, node].mean(1, keepdim=True)
        return torch.exp2(-path / self.usual)


class IsolationForest(RowDetector):
    """The isolation forest; its scores are of machines only, because they are no sums."""

    Config = ForestConfig
    by_value = False

    def make_scorer(self, config: ForestConfig) -> RowScorer:
        """Return the scorer of one build."""
        return TreePaths(config.trees, config.samples)


def _depths(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the number of steps from the root to each node; children follow their parents."""
    depth = np.zeros(len(left))
    for node in np.flatnonzero(left >= 0):
        depth[left[node]] = depth[right[node]] = depth[node] + 1
    return depth


def _mean_path(samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean path length of an unsuccessful search among so many samples (eq. 1)."""
    n = samples.astype(np.float64)
    many = np.maximum(n, 3.0)
    found = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, found))
