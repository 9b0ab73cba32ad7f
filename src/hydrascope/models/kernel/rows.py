"""Windows of machines of one build as rows of fixed meaning, and their standardisation.

Shapes: W windows, S sensors of a batch, P places of sensors in the build, T steps, F features,
Z channels of the network's embedding.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs


class Rows(NamedTuple):
    """What windows are compared by; a part that is not used has width 0."""

    features: Tensor
    """[W, P·T·F]"""
    embedding: Tensor
    """[W, Z]"""


class Scale(NamedTuple):
    """x ↦ (x − center) · inverse; `inverse` is 0 where x did not vary in training."""

    center: Tensor
    inverse: Tensor

    def apply(self, x: Tensor, observed: Tensor) -> Tensor:
        """Scale features [..., F]; what is not observed [...] stands at the mean."""
        return torch.where(observed.unsqueeze(-1), (x - self.center) * self.inverse, 0.0)


def place_of(inputs: GraphInputs, places: int) -> Tensor:
    """Return the place of each sensor among those of all graphs of a batch, [S] int64."""
    graph = inputs.component_graph.index_select(0, inputs.sensor_component)
    return graph * places + inputs.sensor_slot


def dense(values: Tensor, place: Tensor, graphs: int, places: int) -> Tensor:
    """Lay out values of sensors, [S, ...], as [G, P, ...]; 0 at places without a sensor."""
    laid_out = values.new_zeros((graphs * places, *values.shape[1:])).index_copy(0, place, values)
    return laid_out.reshape(graphs, places, *values.shape[1:])


def balanced(combination: Tensor) -> Tensor:
    """Weigh windows so that every combination [W] int64 weighs the same; mean 1, float64."""
    weight = 1.0 / torch.bincount(combination)[combination].double()
    return weight / weight.mean()


def feature_scale(x: Tensor, observed: Tensor, combination: Tensor, per_step: bool) -> Scale:
    """Return the scale of the features, [P, T or 1, F] float64.

    The center is the mean in which every combination weighs the same; the deviation is the
    geometric mean of that within combinations and that over all. The first tells apart what is
    noise, the second keeps what hardly varies within a combination from being blown up.

    Args:
        x: [W, P, T, F] float64; what is not observed is not read.
        observed: [W, P, T] bool.
        combination: [W] int64, without gaps.
        per_step: Whether each step has its own statistics.
    """
    axes = (0,) if per_step else (0, 2)
    seen = observed.unsqueeze(-1).double()
    x = torch.where(observed.unsqueeze(-1), x, 0.0)
    weight = balanced(combination).reshape(-1, 1, 1, 1) * seen
    total = weight.sum(axes, keepdim=True).clamp(min=1e-12)
    center = (weight * x).sum(axes, keepdim=True) / total
    over_all = (weight * (x - center).square()).sum(axes, keepdim=True) / total

    groups = int(combination.max()) + 1
    count = seen.new_zeros((groups, *seen.shape[1:])).index_add(0, combination, seen)
    mean = x.new_zeros((groups, *x.shape[1:])).index_add(0, combination, x)
    if not per_step:
        count, mean = count.sum(2, keepdim=True), mean.sum(2, keepdim=True)
    mean = mean / count.clamp(min=1.0)
    within = (weight * (x - mean[combination]).square()).sum(axes, keepdim=True) / total
    return _scale(center[0], (within.sqrt() * over_all.sqrt()).sqrt()[0])


def embedding_scale(embedding: Tensor, combination: Tensor) -> Scale:
    """Return the scale of the embedding, [Z]: balanced mean, and √Z times the deviation."""
    weight = balanced(combination).unsqueeze(1)
    center = (weight * embedding).mean(0)
    deviation = (weight * (embedding - center).square()).mean(0).sqrt()
    scale = _scale(center, deviation)
    return scale._replace(inverse=scale.inverse / max(1, len(center)) ** 0.5)


def _scale(center: Tensor, deviation: Tensor) -> Scale:
    # What did not vary in training (rounding aside) says nothing and is left out.
    varies = deviation > 1e-6 * (1e-6 + center.abs())
    return Scale(center, torch.where(varies, 1.0 / deviation, 0.0))
