"""Patch group: the samples of the window, for networks that learn features.

Shapes: `...` any batch axes, n samples, L patch length.
"""

import torch
from torch import Tensor

from hydrascope.features.filling import interpolate


def patch_features(filled: Tensor, length: int) -> Tensor:
    """Resample `filled` [..., n] to [..., L] by linear interpolation, in the signal's unit.

    Sample j of the patch is at position j · (n - 1) / (L - 1) of the window, so the first and last
    samples are kept; L = 1 keeps the first. A window of L samples is not changed; a single sample
    is repeated.
    """
    n = filled.shape[-1]
    if n == length:
        return filled
    # In float64, since a float32 position among 10⁵ samples has an error of 0.01.
    position = torch.linspace(0, n - 1, length, dtype=torch.float64, device=filled.device)
    below = position.floor().to(torch.int64)
    above = (below + 1).clamp(max=n - 1)
    weight = (position - below).to(filled.dtype)
    return interpolate(filled[..., below], filled[..., above], weight)
