"""Linear interpolation within a window.

Shapes: `...` any batch axes, n samples, M missing samples.
"""

import torch
from torch import Tensor


def interpolate(low: Tensor, high: Tensor, weight: Tensor) -> Tensor:
    """Return `(1 - weight) · low + weight · high`, clamped to the two and exact if they are equal.

    The shorter `low + weight · (high - low)` overflows for huge numbers of opposite sign.
    """
    blend = low * (1 - weight) + high * weight
    return blend.clamp(torch.minimum(low, high), torch.maximum(low, high))


def fill_linearly(x: Tensor, valid: Tensor) -> Tensor:
    """Replace samples of `x` [..., n] by interpolation between their `valid` [..., n] neighbours.

    The edges are held; a window without any valid sample becomes zeros. Eager code computes only
    what is missing. A traced program cannot, since its shapes must not depend on data; it computes
    all samples by the same formula.
    """
    if torch.compiler.is_compiling():
        return _fill_every(x, valid)
    n = x.shape[-1]
    missing = (~valid).flatten().nonzero().squeeze(-1)
    place, row = missing % n, missing - missing % n
    first = torch.ones_like(missing, dtype=torch.bool)
    first[1:] = (missing.diff() != 1) | (place[1:] == 0)
    last = first.roll(-1)
    gap = first.cumsum(0) - 1
    left = (missing[first] - 1)[gap]
    right = (missing[last] + 1)[gap]
    has_left, has_right = left >= row, right < row + n
    left, right = torch.where(has_left, left, right), torch.where(has_right, right, left)
    samples = x.flatten()
    known = has_left | has_right
    weight = (missing - left).to(x.dtype) / (right - left).clamp(min=1)
    low, high = samples[torch.where(known, left, 0)], samples[torch.where(known, right, 0)]
    filled = samples.clone()
    filled[missing] = torch.where(known, interpolate(low, high, weight.clamp(0, 1)), 0.0)
    return filled.reshape(x.shape)


def _fill_every(x: Tensor, valid: Tensor) -> Tensor:
    position = torch.arange(x.shape[-1], device=x.device)
    at_valid = valid.to(torch.uint8)
    first = at_valid.argmax(-1, keepdim=True)
    last = position[-1] - at_valid.flip(-1).argmax(-1, keepdim=True)
    left = torch.where(valid, position, first).cummax(-1).values
    right = torch.where(valid, position, last).flip(-1).cummin(-1).values.flip(-1)
    weight = (position - left).to(x.dtype) / (right - left).clamp(min=1)
    # At an edge, both neighbours are the same sample, and the weight is outside [0, 1].
    known = torch.where(valid, x, 0.0)
    between = interpolate(known.gather(-1, left), known.gather(-1, right), weight.clamp(0, 1))
    return torch.where(valid, x, between)
