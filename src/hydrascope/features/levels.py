"""Levels group: what a window is at, as it is and in logarithms.

Shapes: `...` any batch axes, n samples.
"""

import torch
from torch import Tensor

from hydrascope.features.window import Window


def level_features(window: Window) -> Tensor:
    """Return the level and its signed logarithm.

    - level: μ = Σ xᵢ / m over the m valid samples, in the signal's unit
    - log_level: sgn(μ) · ln(1 + |μ|), μ in the signal's unit: what hydraulics multiplies becomes a
      sum

    A window without any valid sample gives zeros.

    Args:
        window: of n samples.

    Returns:
        [..., 2].

    """
    level = window.of_valid.center
    # In float64: the last digit of a float32 one may depend on how many are computed at once.
    logarithm = signed_log(level.double()).to(level.dtype)
    return torch.cat((level, logarithm), dim=-1)


def signed_log(x: Tensor) -> Tensor:
    """Return sgn(x) · ln(1 + |x|), of the shape of `x`."""
    return x.sign() * x.abs().log1p()
