"""Levels group: the mean of a window and its logarithm.

Shapes: `...` any batch axes, n samples.
"""

import torch
from torch import Tensor

from hydrascope.features.window import Window


def level_features(window: Window) -> Tensor:
    """Return the level and its signed logarithm.

    - level: μ = Σ xᵢ / m over the m valid samples, in the signal's unit
    - log_level: sgn(μ) · ln(1 + |μ|), μ in the signal's unit; hydraulic products become sums

    A window without valid samples gives zeros.

    Args:
        window: Window of n samples.

    Returns:
        Features [..., 2].
    """
    level = window.of_valid.center
    # In float32, the last digit could depend on how many values are computed at once.
    logarithm = signed_log(level.double()).to(level.dtype)
    return torch.cat((level, logarithm), dim=-1)


def signed_log(x: Tensor) -> Tensor:
    """Return sgn(x) · ln(1 + |x|) with the shape of `x`."""
    return x.sign() * x.abs().log1p()
