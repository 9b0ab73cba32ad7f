"""Temporal group: how a window develops.

Shapes: `...` any batch axes, n samples, W rolling windows, L lags. Computed over the gap-filled
window x, with i = 0 … n - 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from hydrascope.features.rolling import rolling_variances
from hydrascope.features.window import Window


def temporal_features(
    window: Window,
    sampling_rate_hz: Tensor,
    *,
    window_sizes: Sequence[int],
    ema_span: int,
    lags: Sequence[int],
) -> Tensor:
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
        window: of n samples.
        sampling_rate_hz: broadcastable to [..., 1].
        window_sizes: the W sizes in samples.
        ema_span: in samples.
        lags: the L lags in samples.

    Returns:
        [..., 2 W + 1 + L + 1].
    """
    center, signal = window.of_filled
    sizes = [min(size, signal.shape[-1]) for size in window_sizes]
    stds = [v.sqrt().mean(-1, keepdim=True) for v in rolling_variances(signal, sizes)]
    weights = _linear_weights(signal, sizes, ema_span)
    *levels, slope = (signal @ weights).split(1, dim=-1)
    *means, ema = (center + window.scale * level for level in levels)
    energy = signal.square().sum(-1, keepdim=True)
    energy = torch.where(energy > 0, energy, 1.0)
    return torch.cat(
        (
            *means,
            *(std * window.scale for std in stds),
            ema,
            *(_lagged_product(signal, lag) / energy for lag in lags),
            slope * sampling_rate_hz * window.scale,
        ),
        dim=-1,
    )


def _linear_weights(signal: Tensor, sizes: Sequence[int], ema_span: int) -> Tensor:
    """Return [n, W + 2]: the weights of the last rolling means, of the EMA and of the trend."""
    n = signal.shape[-1]
    age = torch.arange(n - 1, -1, -1, dtype=torch.float64, device=signal.device)
    alpha = 2 / (ema_span + 1)
    ema = alpha * (1 - alpha) ** age
    ema[0] /= alpha  # the first sample stands for all that came before it
    time = (n - 1) / 2 - age
    slope = time / time.square().sum().clamp(min=1e-300)
    means = [(age < size) / size for size in sizes]
    return torch.stack((*means, ema, slope), dim=-1).to(signal.dtype)


def _lagged_product(signal: Tensor, lag: int) -> Tensor:
    n = signal.shape[-1]
    if lag >= n:
        return torch.zeros_like(signal[..., :1])
    return (signal[..., lag:] * signal[..., : n - lag]).sum(-1, keepdim=True)
