"""A window made ready for the feature groups: gaps handled, sorted, centred and scaled once.

Shapes: `...` any batch axes, n samples. Samples that are NaN or infinite are missing.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from hydrascope.features.ordering import sort_ascending


class Deviations(NamedTuple):
    """A signal as `center + scale · scaled`, with Σ scaled ≈ 0."""

    center: Tensor
    """[..., 1], the mean, in the signal's unit."""
    scaled: Tensor
    """[..., n], dimensionless, |scaled| ≤ 8."""


class Window(NamedTuple):
    """What the feature groups read."""

    filled: Tensor
    """[..., n], the signal's unit; gaps interpolated linearly, edges held, zeros if all missing."""
    ordered: Tensor
    """[..., n], the signal's unit; valid samples ascending, then as many medians as are missing."""
    valid_count: Tensor
    """[..., 1] int64."""
    scale: Tensor
    """[..., 1], a power of two near the largest magnitude, in the signal's unit."""
    of_valid: Deviations
    """The valid samples about their mean, missing ones 0: for what ignores the order."""
    of_filled: Deviations
    """`filled` about its mean: for what depends on the order."""


def prepare_window(x: Tensor) -> Window:
    """Handle the gaps of `x` [..., n], sort it, centre and scale it.

    Eager code looks first whether anything is missing at all, which is one cheap sum. A traced
    program cannot branch on data and always takes the general path; it gives the same numbers.
    """
    # Non-finite samples make the sum non-finite. So can an overflow: that only costs time.
    if not torch.compiler.is_compiling() and bool(torch.isfinite(x.sum())):
        return _complete(x)
    return _with_gaps(x)


def interpolate(low: Tensor, high: Tensor, weight: Tensor) -> Tensor:
    """Return `(1 - weight) · low + weight · high`, never outside the two, exact where equal.

    The shorter `low + weight · (high - low)` overflows between huge numbers of opposite sign.
    """
    blend = low * (1 - weight) + high * weight
    return blend.clamp(torch.minimum(low, high), torch.maximum(low, high))


def _complete(x: Tensor) -> Window:
    n = x.shape[-1]
    ordered = sort_ascending(x)
    count = torch.full_like(ordered[..., :1], n, dtype=torch.int64)
    median = ordered[..., n // 2, None]
    scale = _power_of_two(torch.maximum(-ordered[..., :1], ordered[..., -1:]))
    rough = _roughly_centred(x, median, scale)
    shift = rough.mean(-1, keepdim=True)
    deviations = Deviations(median + shift * scale, rough - shift)
    return Window(x, ordered, count, scale, deviations, deviations)


def _with_gaps(x: Tensor) -> Window:
    n = x.shape[-1]
    valid = torch.isfinite(x)
    count = valid.sum(-1, keepdim=True)
    ordered = sort_ascending(torch.where(valid, x, torch.inf))
    median = torch.where(count > 0, ordered.gather(-1, count // 2), 0.0)
    ordered = torch.where(torch.arange(n, device=x.device) < count, ordered, median)
    high = ordered.gather(-1, (count - 1).clamp(min=0))
    scale = _power_of_two(torch.maximum(-ordered[..., :1], high))

    known = torch.where(valid, x, median)
    rough = _roughly_centred(known, median, scale)
    shift = rough.sum(-1, keepdim=True) / count.clamp(min=1)
    of_valid = Deviations(median + shift * scale, torch.where(valid, rough - shift, 0.0))

    filled = torch.where(valid, x, _bridges(known, valid))
    rough = _roughly_centred(filled, median, scale)
    shift = rough.mean(-1, keepdim=True)
    of_filled = Deviations(median + shift * scale, rough - shift)
    return Window(filled, ordered, count, scale, of_valid, of_filled)


def _power_of_two(magnitude: Tensor) -> Tensor:
    """Return the power of two in (magnitude / 4, magnitude / 2]: dividing by it loses no bit.

    Far enough from the ends of the number range for its reciprocal to be a normal number too.
    """
    magnitude = magnitude.clamp(min=4 * torch.finfo(magnitude.dtype).tiny)
    mantissa, _ = torch.frexp(magnitude)
    return magnitude / (4 * mantissa)


def _roughly_centred(x: Tensor, pivot: Tensor, scale: Tensor) -> Tensor:
    """Return (x - pivot) / scale.

    Subtracting a sample first keeps the digits of a small ripple on a large level, and makes a
    constant signal exactly zero, which no mean does.
    """
    inverse = 1 / scale
    return x * inverse - pivot * inverse


def _bridges(known: Tensor, valid: Tensor) -> Tensor:
    """Interpolate `known` [..., n] linearly between its `valid` neighbours, hold the edges."""
    position = torch.arange(known.shape[-1], device=known.device)
    at_valid = valid.to(torch.uint8)
    first = at_valid.argmax(-1, keepdim=True)
    last = position[-1] - at_valid.flip(-1).argmax(-1, keepdim=True)
    left = torch.where(valid, position, first).cummax(-1).values
    right = torch.where(valid, position, last).flip(-1).cummin(-1).values.flip(-1)
    weight = (position - left).to(known.dtype) / (right - left).clamp(min=1)
    # On an edge both neighbours are the same sample, and the weight counts away from it.
    return interpolate(known.gather(-1, left), known.gather(-1, right), weight.clamp(0, 1))
