"""Standardisation of the windows of machines with one build.

Shapes: W windows, P places of sensors in the build, T steps, F features.
"""

from typing import NamedTuple

import torch
from torch import Tensor

_STILL = 1e-4
"""The standard deviation up to which a normalised feature counts as constant, compared with 1."""


class Scale(NamedTuple):
    """The map x ↦ (x − center) · inverse; `inverse` is 0 for features constant in training."""

    center: Tensor
    inverse: Tensor

    def apply(self, x: Tensor, observed: Tensor) -> Tensor:
        """Scale features [..., F]; unobserved ones, by `observed` [...], become 0, the mean."""
        return torch.where(observed.unsqueeze(-1), (x - self.center) * self.inverse, 0.0)


def balanced(combination: Tensor) -> Tensor:
    """Return weights with an equal sum for every combination, from [W] int64; mean 1, float64."""
    weight = 1.0 / torch.bincount(combination)[combination].double()
    return weight / weight.mean()


def feature_scale(x: Tensor, observed: Tensor, combination: Tensor) -> Scale:
    """Return the scale of the features at each step, [P, T, F] float64.

    The center is the mean with the same weight for every combination. The scale is the geometric
    mean of the standard deviations within combinations and over all windows. The first measures
    noise. The second avoids magnifying features that hardly vary within a combination.

    Args:
        x: The normalised features, [W, P, T, F] float64; unobserved ones are not read.
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
    # Features that are constant in training are dropped. A normaliser does not magnify rounding
    # errors, so the standard deviation of such a feature is small compared with 1.
    varies = deviation > _STILL * (1.0 + center.abs())
    return Scale(center, torch.where(varies, 1.0 / deviation, 0.0))
