"""Whitening of each sensor's features, so that drift and noise are equal in all directions."""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.base import GroupedInputs
from hydrascope.models.blocks.sensor_layout import sensor_graph

_SHRINKAGE = 0.1
"""The value λ added to each eigenvalue; chosen on conditions held out from training folds."""
_CLIP = 20.0
_TINY = 1e-6


class SensorWhitening(nn.Module):
    """Whitens the features of every sensor by their variation within a condition.

        z = (x − μ) D⁻¹ (R + λ I)^(−½) / r

    D and R are the standard deviations and correlations of a sensor's features within conditions. A
    linear discriminant whitens by the covariance within classes in the same way (R. A. Fisher,
    1936). The symmetric root keeps the meaning of each direction (A. Kessy, A. Lewin, K. Strimmer,
    "Optimal Whitening and Decorrelation", The American Statistician 72, 2018). All conditions have
    the same weight. r scales the mean square over all training windows to 1. After this, effects of
    a condition stand out against drift. Each sensor is whitened on its own, so that a missing one
    does not affect others. With `per_step` this holds for steps too.

    The module has only buffers. They are fitted to the training windows before the training. Until
    then z = x. Afterwards z = 0 for sensors that are not in the training data.

    Shapes: S sensors, T steps, F features, P places of sensors.

    Args:
        places: P.
        steps: T.
        features: F.
        per_step: Whether each step has its own statistics.
    """

    center: Tensor
    mixing: Tensor

    def __init__(self, places: int, steps: int, features: int, per_step: bool) -> None:
        super().__init__()
        rows = steps if per_step else 1
        self.register_buffer("center", torch.zeros(places, rows, features))
        identity = torch.eye(features).expand(places, rows, features, features)
        self.register_buffer("mixing", identity.clone())

    def forward(self, features: Tensor, observed: Tensor, slot: Tensor) -> Tensor:
        """Whiten [S, T, F], [S, T] bool, [S] int64 -> [S, T, F]; 0 if not observed."""
        centred, mixing = features - self.center[slot], self.mixing[slot]
        if mixing.shape[1] == 1:  # one product per sensor, not per step
            z = torch.bmm(centred, mixing.squeeze(1))
        else:
            z = (centred.unsqueeze(-2) @ mixing).squeeze(-2)
        return z.clamp(-_CLIP, _CLIP).masked_fill(~observed.unsqueeze(-1), 0.0)

    @torch.no_grad()
    def fit(self, windows: Callable[[], Iterable[GroupedInputs]]) -> None:
        """Fit to training windows in three passes; memory does not grow with their number."""
        size = torch.zeros(0, dtype=torch.int64)
        for _, group in windows():
            counted = group[group >= 0].bincount(minlength=len(size))
            size = F.pad(size, (0, len(counted) - len(size))) + counted
        if not len(size):
            return
        means = _GroupMeans(self.center.shape, len(size))
        for inputs, group in windows():
            means.update(inputs, group)
        center = means.center()
        within, total = _Products(self.mixing.shape), _Products(self.mixing.shape)
        for inputs, group in windows():
            weight = 1.0 / size[group.clamp(min=0)].double() * (group >= 0)
            within.update(inputs, means.of(group), weight)
            total.update(inputs, center.expand(len(group), *center.shape), weight)
        self.center.copy_(center)
        self.mixing.copy_(_mixing(within.covariance(), total.covariance()))


def _rows(inputs: GraphInputs) -> tuple[Tensor, Tensor]:
    """Return the graph of each sensor, [S], and its features, [S, T, F] float64."""
    graph = sensor_graph(inputs)
    seen = inputs.sensor_observed.unsqueeze(-1)
    return graph, torch.where(seen, inputs.sensor_features, 0.0).double()


class _GroupMeans:
    """The mean of each group's features at each place, [groups, P, T or 1, F]."""

    def __init__(self, shape: torch.Size, groups: int) -> None:
        self._sum = torch.zeros(groups, *shape, dtype=torch.float64)
        self._count = torch.zeros(groups, *shape[:2], 1, dtype=torch.float64)
        self._per_step = shape[1] > 1

    def update(self, inputs: GraphInputs, group: Tensor) -> None:
        graph, x = _rows(inputs)
        seen = inputs.sensor_observed.unsqueeze(-1).double()
        if not self._per_step:
            x, seen = x.sum(1, keepdim=True), seen.sum(1, keepdim=True)
        known = group[graph] >= 0
        place = (group[graph][known], inputs.sensor_slot[known])
        self._sum.index_put_(place, x[known], accumulate=True)
        self._count.index_put_(place, seen[known], accumulate=True)

    def center(self) -> Tensor:
        """Return the mean of the groups' known means, [P, T or 1, F]."""
        known = (self._count > 0).double()
        mean = self._sum / self._count.clamp(min=1.0)
        center: Tensor = (mean * known).sum(0) / known.sum(0).clamp(min=1.0)
        return center

    def of(self, group: Tensor) -> Tensor:
        """Return the means of these groups, [G, P, T or 1, F]."""
        chosen = group.clamp(min=0)
        return self._sum[chosen] / self._count[chosen].clamp(min=1.0)


class _Products:
    """Weighted covariances about given means, [P, T or 1, F, F]."""

    def __init__(self, shape: torch.Size) -> None:
        self._sum = torch.zeros(shape, dtype=torch.float64)
        self._weight = torch.zeros(shape[:2], dtype=torch.float64)

    def update(self, inputs: GraphInputs, means: Tensor, weight: Tensor) -> None:
        """Add windows with their means [G, P, T or 1, F] and weights [G]."""
        graph, x = _rows(inputs)
        slot = inputs.sensor_slot
        counted = inputs.sensor_observed.double() * weight[graph].unsqueeze(1)  # [S, T]
        residual = (x - means[graph, slot]) * counted.sqrt().unsqueeze(-1)
        if self._sum.shape[1] == 1:
            products = (residual.mT @ residual).unsqueeze(1)
            counted = counted.sum(1, keepdim=True)
        else:
            products = residual.unsqueeze(-1) * residual.unsqueeze(-2)
        self._sum.index_add_(0, slot, products)
        self._weight.index_add_(0, slot, counted)

    def covariance(self) -> Tensor:
        return self._sum / self._weight.clamp(min=1e-12)[..., None, None]


def _mixing(within: Tensor, total: Tensor) -> Tensor:
    """Return D⁻¹ (R + λ I)^(−½) / r, [P, T or 1, F, F]."""
    spread = total.diagonal(dim1=-2, dim2=-1).sqrt()
    deviation = within.diagonal(dim1=-2, dim2=-1).sqrt()
    # Features that are constant within conditions are scaled by their variation over all of them.
    # Features that never vary become 0.
    deviation = torch.where(deviation > _TINY * (1.0 + spread), deviation, spread)
    inverse = torch.where(deviation > _TINY, 1.0 / deviation.clamp(min=_TINY), 0.0)
    correlation = within * inverse.unsqueeze(-1) * inverse.unsqueeze(-2)
    identity = torch.eye(within.shape[-1], dtype=within.dtype)
    values, vectors = torch.linalg.eigh(correlation + _SHRINKAGE * identity)
    root = (vectors * values.clamp(min=_SHRINKAGE).rsqrt().unsqueeze(-2)) @ vectors.mT
    mixing = inverse.unsqueeze(-1) * root
    square = (mixing.mT @ total @ mixing).diagonal(dim1=-2, dim2=-1)
    fitted = square.sum(-1) > 0
    size: Tensor = square[fitted].mean().sqrt() if fitted.any() else torch.ones(())
    return torch.div(mixing, size)
