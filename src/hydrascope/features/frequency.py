"""Frequency group: the oscillations in a window.

Shapes: `...` any batch axes, n samples, K = ⌊n / 2⌋ spectral bins without the one at 0 Hz.
Computed over the gap-filled window.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hydrascope.features.ordering import largest
from hydrascope.features.window import Window


def frequency_features(window: Window, sampling_rate_hz: Tensor, num_frequencies: int) -> Tensor:
    """Return the largest amplitudes, the dominant frequency and the spectral entropy.

    With X = rfft(x - μ), bins k = 1 … K at k · rate / n:

    - amplitude: Aₖ = 2 |Xₖ| / n, and |Xₖ| / n at the Nyquist bin of an even n, which has no mirror
      image; a sine that fits the window has its own amplitude. The `num_frequencies` largest,
      descending, in the signal's unit; 0 beyond K
    - dominant frequency: the frequency of the largest amplitude, in Hz; 0 for a constant signal
    - spectral entropy: -Σ pₖ ln pₖ / ln K with pₖ = Pₖ / Σ Pₖ of the one-sided periodogram
      Pₖ ∝ |Xₖ|², halved at Nyquist; from 0 (one line) to 1 (white). 0 if K < 2 or constant

    Args:
        window: Window of n samples.
        sampling_rate_hz: Sampling rate, broadcastable to [..., 1].
        num_frequencies: Number of amplitudes.

    Returns:
        Features [..., num_frequencies + 2].
    """
    signal = window.of_filled.scaled
    n = signal.shape[-1]
    bins = n // 2
    if bins == 0:
        return signal.new_zeros((*signal.shape[:-1], num_frequencies + 2))

    spectrum = torch.fft.rfft(signal)[..., 1:]
    power = spectrum.real.square() + spectrum.imag.square()
    if n % 2 == 0:
        power = torch.cat((power[..., :-1], power[..., -1:] / 2), dim=-1)
    total = power.sum(-1, keepdim=True)
    varies = total > 0

    # Halving the Nyquist bin again gives half the amplitude.
    squared = torch.cat((power[..., :-1], power[..., -1:] / 2), dim=-1) if n % 2 == 0 else power
    kept = min(num_frequencies, bins)
    amplitudes = largest(squared, kept).sqrt() * (window.scale * (2 / n))
    amplitudes = F.pad(amplitudes, (0, num_frequencies - kept))
    bin_number = squared.argmax(-1, keepdim=True) + 1
    dominant = torch.where(varies, bin_number * (sampling_rate_hz / n), 0.0)

    share = power / torch.where(varies, total, 1.0)
    information = share * share.clamp(min=torch.finfo(share.dtype).tiny).log()
    entropy = -information.sum(-1, keepdim=True) / math.log(max(bins, 2))
    return torch.cat((amplitudes, dominant, entropy.clamp(0, 1)), dim=-1)
