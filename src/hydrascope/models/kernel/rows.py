"""Windows of machines of one build as rows of fixed meaning, and their standardisation.

Shapes: W windows, S sensors of a batch, P places of sensors in the build, T steps, F features.
"""

from typing import NamedTuple

import torch
from torch import Tensor

_STILL = 1e-4
"""Deviation of a normalised feature that does not vary, beside 1."""


class Scale(NamedTuple):
    """x ↦ (x − center) · inverse; `inverse` is 0 where x did not vary in training."""

    center: Tensor
    inverse: Tensor

    def apply(self, x: Tensor, observed: Tensor) -> Tensor:
        """Scale features [..., F]; what is not observed [...] stands at the mean."""
        return torch.where(observed.unsqueeze(-1), (x - self.center) * self.inverse, 0.0)


def balanced(combination: Tensor) -> Tensor:
    """Weigh windows so that every combination [W] int64 weighs the same; mean 1, float64."""
    weight = 1.0 / torch.bincount(combination)[combination].double()
    return weight / weight.mean()


def feature_scale(x: Tensor, observed: Tensor, combination: Tensor) -> Scale:
    """Return the scale of the features at each step, [P, T, F] float64.

    The center is the mean in which every combination weighs the same; the deviation is the
    geometric mean of that within combinations and that over all. The first tells apart what is
    noise, the second keeps what hardly varies within a combination from being blown up.

    Args:
        x: [W, P, T, F] float64, normalised; what is not observed is not read.
        observed: [W, P, T] bool.
        combination: [W] int64, without gaps.
    """
    seen = observed.unsqueeze(-1).double()
    x = torch.where(observed.unsqueeze(-1), x, 0.0)
    weight = balanced(combination).reshape(-1, 1, 1, 1) * seen
    total = weight.sum(0).clamp(min=1e-12)
    center = (weight * x).sum(0) / total
    over_all = (weight * (x - center).square()).sum(0) / total

    groups = int(combination.max()) + 1
    count = seen.new_zeros((groups, *seen.shape[1:])).index_add(0, combination, seen)
    mean = x.new_zeros((groups, *x.shape[1:])).index_add(0, combination, x) / count.clamp(min=1.0)
    within = (weight * (x - mean[combination]).square()).sum(0) / total
    deviation = (within.sqrt() * over_all.sqrt()).sqrt()
    # What did not vary in training says nothing and is left out. A normaliser does not blow up
    # what varies by rounding alone, so that this stays small beside 1.
    varies = deviation > _STILL * (1.0 + center.abs())
    return Scale(center, torch.where(varies, 1.0 / deviation, 0.0))
