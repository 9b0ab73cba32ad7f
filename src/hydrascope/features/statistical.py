"""Statistical group: features of the values of a window, independent of their order.

Shapes: `...` any batch axes, n samples of which m are valid, P percentiles. Computed over the
valid samples; a window without any gives zeros.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from hydrascope.features.filling import interpolate
from hydrascope.features.window import Window


def statistical_features(window: Window, percentiles: Sequence[float]) -> Tensor:
    """Return mean, std, min, max, percentiles, skewness and excess kurtosis.

    - mean: μ = Σ xᵢ / m
    - std: σ = √(Σ (xᵢ - μ)² / m), the population's (ddof = 0): defined for one sample, and never
      larger than the largest magnitude, so that it cannot overflow
    - percentile q: at rank (m - 1) · q / 100 of the sorted samples, linear between ranks (NumPy's
      `linear`, Hyndman & Fan type 7)
    - skewness: g₁ = m₃ / m₂^1.5 and excess kurtosis: g₂ = m₄ / m₂² - 3, with the central moments
      mₖ = Σ (xᵢ - μ)ᵏ / m (SciPy's biased ones); both 0 for a constant signal

    Skewness and kurtosis are dimensionless; the others are in the signal's unit.

    Args:
        window: Window of n samples.
        percentiles: P percentiles in percent.

    Returns:
        Features [..., 6 + P].
    """
    deviations = window.of_valid.scaled
    squares = deviations.square()
    count = window.valid_count.clamp(min=1)
    m2 = squares.sum(-1, keepdim=True) / count
    m3 = (squares * deviations).sum(-1, keepdim=True) / count
    m4 = squares.square().sum(-1, keepdim=True) / count
    varies = m2 > 0
    safe = torch.where(varies, m2, 1.0)
    # Not `safe**1.5`, as its rounding differs in the last lanes of a vector register, so the result
    # would depend on how many windows are computed at once.
    skewness = m3 / (safe * safe.sqrt())
    kurtosis = torch.where(varies, m4 / safe**2 - 3, 0.0)

    last = count - 1
    # In float64, since a float32 rank among 10⁵ samples has an error of 0.01.
    rank = last * last.new_tensor([p / 100 for p in percentiles], dtype=torch.float64)
    below = rank.floor().to(torch.int64)
    above = torch.minimum(below + 1, last)
    ordered = window.ordered
    between = (rank - below).to(ordered.dtype)
    return torch.cat(
        (
            window.of_valid.center,
            m2.sqrt() * window.scale,
            ordered[..., :1],
            ordered.gather(-1, last),
            interpolate(ordered.gather(-1, below), ordered.gather(-1, above), between),
            skewness,
            kurtosis,
        ),
        dim=-1,
    )
