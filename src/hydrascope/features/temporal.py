"""Temporal group: the development of a window over time.

Shapes: `...` any batch axes, n samples, W rolling windows, L lags. Computed over the gap-filled
window x, with i = 0 … n - 1.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.features.config import FeatureConfig
from hydrascope.features.rolling import rolling_variances
from hydrascope.features.window import Window

_NO_WEIGHT = 1e-20
"""A weight that changes no digit of an EMA."""


def temporal_features(window: Window, sampling_rate_hz: Tensor, config: FeatureConfig) -> Tensor:
    """Return rolling means and stds, the EMA, autocorrelations and the linear trend.

    - rolling mean of size w: the mean of the last w samples, in the signal's unit
    - rolling std of size w: the mean over all n - w + 1 positions of the population std (ddof = 0)
      of w consecutive samples, in the signal's unit. A w beyond n counts as n
    - EMA: yᵢ = yᵢ₋₁ + α (xᵢ - yᵢ₋₁), y₀ = x₀, α = 2 / (span + 1); the last y (pandas'
      `ewm(span, adjust=False)`), in the signal's unit
    - autocorrelation at lag k: Σᵢ₍ᵢ<ₙ₋ₖ₎ (xᵢ - μ)(xᵢ₊ₖ - μ) / Σᵢ (xᵢ - μ)², the biased estimator of
      Box & Jenkins, within ±1; 0 where k ≥ n or the signal is constant
    - trend: the least-squares slope over time, in the signal's unit per second; 0 for one sample

    Args:
        window: Window of n samples.
        sampling_rate_hz: Sampling rate, broadcastable to [..., 1].
        config: W window sizes, the span of the EMA and L lags, all in samples.

    Returns:
        Features [..., 2 W + 1 + L + 1].
    """
    center, signal = window.of_filled
    n = signal.shape[-1]
    sizes = tuple(min(size, n) for size in config.window_sizes)
    # Sums of products, since the rounding of a matrix product depends on the number of windows.
    ema, slope = (
        (signal[..., n - len(each) :] * torch.from_numpy(each).to(signal)).sum(-1, keepdim=True)
        for each in _linear_weights(n, config.ema_span)
    )
    means = [signal[..., n - size :].mean(-1, keepdim=True) for size in sizes]
    stds = [v.sqrt().mean(-1, keepdim=True) for v in rolling_variances(signal, sizes)]
    energy = signal.square().sum(-1, keepdim=True)
    products = [_lagged_product(signal, lag) for lag in config.autocorrelation_lags]
    return torch.cat(
        (
            *(center + window.scale * mean for mean in means),
            *(std * window.scale for std in stds),
            center + window.scale * ema,
            *(product / torch.where(energy > 0, energy, 1.0) for product in products),
            slope * sampling_rate_hz * window.scale,
        ),
        dim=-1,
    )


@lru_cache(maxsize=32)
def _linear_weights(n: int, ema_span: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights of the EMA for the last samples, and those of the trend for all n.

    They are computed by NumPy, so that a traced program has them as a constant.
    """
    age = np.arange(n - 1, -1, -1, dtype=np.float64)
    alpha = 2 / (ema_span + 1)
    ema = alpha * (1 - alpha) ** age
    ema[0] = (1 - alpha) ** (n - 1)  # the first sample represents all previous ones
    time = (n - 1) / 2 - age
    slope = time / max(float(np.square(time).sum()), 0.5)
    return ema[ema >= _NO_WEIGHT], slope


def _lagged_product(signal: Tensor, lag: int) -> Tensor:
    """Return the sum [..., 1] of the products of all samples `lag` apart."""
    n = signal.shape[-1]
    if lag >= n:
        return torch.zeros_like(signal[..., :1])
    return (signal[..., lag:] * signal[..., : n - lag]).sum(-1, keepdim=True)
