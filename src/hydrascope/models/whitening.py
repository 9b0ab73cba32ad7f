"""The covariance of the sensors' features on healthy machines, gathered in one pass.

Shapes: K topologies, R rows of steps, P places (sensors of the largest topology), F features,
D = P · F, G graphs, T steps.
"""

from typing import NamedTuple

import torch
from torch import Tensor

_LEAST_SHRINKAGE = 1e-3
"""The minimum shrinkage; otherwise exact dependences between features would be magnified."""
_LEAST_EIGENVALUE = 1e-6
"""The smallest eigenvalue, as a share of the largest."""


class FeatureMoments:
    """Moments of the normalised features, per topology and row of steps, in float64.

    Unobserved features do not count: each pair of places has its own number of observations.
    Windows may arrive in any order, in batches of any size.
    """

    def __init__(self, topologies: int, rows: int, places: int, features: int) -> None:
        size = places * features
        self.places, self.features = places, features
        self.count = torch.zeros(topologies, rows, places, places, dtype=torch.float64)
        self.sums = torch.zeros(topologies, rows, size, dtype=torch.float64)
        self.products = torch.zeros(topologies, rows, size, size, dtype=torch.float64)

    def update(self, topology: Tensor, row: Tensor, value: Tensor, observed: Tensor) -> None:
        """Add windows.

        Args:
            topology: [G] int64.
            row: [T] int64.
            value: [G, T, D]; 0 where not observed.
            observed: [G, T, P] bool.
        """
        value, seen = value.double(), observed.double()
        for kind in sorted(set(topology.tolist())):
            values, known = value[topology == kind], seen[topology == kind]
            self.sums[kind].index_add_(0, row, values.sum(0))
            self.products[kind].index_add_(0, row, torch.einsum("gtd,gte->tde", values, values))
            self.count[kind].index_add_(0, row, torch.einsum("gtp,gtq->tpq", known, known))

    def mean(self) -> Tensor:
        """Return the means, [K, R, D]; 0 where nothing was observed."""
        count = self.count.diagonal(dim1=-2, dim2=-1).repeat_interleave(self.features, -1)
        return self.sums / count.clamp(min=1.0)

    def covariance(self) -> Tensor:
        """Return the covariances, [K, R, D, D]; 0 where nothing was observed together."""
        count = self.count.repeat_interleave(self.features, -1)
        count = count.repeat_interleave(self.features, -2)
        mean = self.mean()
        outer = mean.unsqueeze(-1) * mean.unsqueeze(-2)
        return self.products / count.clamp(min=1.0) - outer * (count > 0)


class Whitening(NamedTuple):
    """The whitening matrices computed from `FeatureMoments`."""

    center: Tensor
    """The means, [K, R, D]."""
    matrix: Tensor
    """The symmetric inverse root of the covariance, shrunk towards their diagonal, [K, R, D,
    D]; the identity without observations."""
    fitted: Tensor
    """Whether the place was ever observed, [K, R, P] bool."""

    @classmethod
    def of(cls, moments: FeatureMoments) -> "Whitening":
        """Compute the whitening, shrinking the correlation of each topology and row separately."""
        fitted = moments.count.diagonal(dim1=-2, dim2=-1) > 0
        moment = moments.covariance()
        scale = moment.diagonal(dim1=-2, dim2=-1).clamp(min=0.0).sqrt()
        varies = scale > 1e-6
        scale = torch.where(varies, scale, 1.0)
        correlation = moment / (scale.unsqueeze(-1) * scale.unsqueeze(-2))
        matrix = torch.diag_embed(1.0 / scale)
        for kind in range(len(correlation)):
            for row in range(correlation.shape[1]):
                at = varies[kind, row].nonzero().squeeze(1)
                if len(at):
                    observed = moments.count[kind, row].diagonal()
                    seen = float(observed[at // moments.features].mean())
                    block = definite(shrunk_correlation(correlation[kind, row][at][:, at], seen))
                    spread = scale[kind, row][at]
                    block = block * spread.unsqueeze(1) * spread
                    matrix[kind, row][at.unsqueeze(1), at] = inverse_root(block)
        return cls(moments.mean(), matrix, fitted)


def shrunk_correlation(correlation: Tensor, count: float) -> Tensor:
    """Shrink a correlation matrix [D, D] of `count` observations towards the identity.

    Y. Chen, A. Wiesel, Y. C. Eldar, A. O. Hero, "Shrinkage Algorithms for MMSE Covariance
    Estimation", IEEE Trans. Signal Process. 58 (2010), oracle approximating shrinkage. Unlike the
    rule of Ledoit and Wolf it needs only the matrix and the count.
    """
    size = len(correlation)
    if size == 1:
        return torch.ones_like(correlation)
    power, mean = correlation.square().mean(), correlation.diagonal().mean()
    excess = (count + 1.0) * (power - mean.square() / size)
    shrinkage = float(((power + mean.square()) / excess).clamp(max=1.0)) if excess > 0 else 1.0
    shrinkage = max(shrinkage, _LEAST_SHRINKAGE)
    shrunk = (1.0 - shrinkage) * correlation
    shrunk.diagonal().add_(shrinkage * mean)
    return shrunk


def definite(correlation: Tensor) -> Tensor:
    """Raise the eigenvalues of a correlation matrix [D, D] to the size of its negative ones.

    Sensors that were never observed together leave entries unknown, and can make the matrix
    indefinite. A negative eigenvalue shows how far all of them may be wrong.
    """
    values, vectors = torch.linalg.eigh(correlation)
    least = -float(values[0])
    if least <= 0.0:
        return correlation
    raised: Tensor = (vectors * values.clamp(min=least)) @ vectors.mT
    return raised


def inverse_root(covariance: Tensor) -> Tensor:
    """Return the symmetric inverse root Σ^(−1/2) of covariances [..., D, D]."""
    values, vectors = torch.linalg.eigh(covariance)
    floor = _LEAST_EIGENVALUE * values.amax(-1, keepdim=True)
    root = torch.maximum(values, floor).sqrt().unsqueeze(-2)
    whitened: Tensor = (vectors / root) @ vectors.mT
    return whitened
