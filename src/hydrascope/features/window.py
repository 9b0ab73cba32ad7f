"""Preparation of a window for all feature groups: gaps, sorting, centring and scaling.

Shapes: `...` any batch axes, n samples. Samples that are NaN or infinite are missing.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from hydrascope.features.filling import fill_linearly
from hydrascope.features.ordering import sort_ascending


class Deviations(NamedTuple):
    """A signal as `center + scale · scaled`, with Σ scaled ≈ 0."""

    center: Tensor
    """The mean [..., 1] in the signal's unit."""
    scaled: Tensor
    """The dimensionless deviations [..., n], |scaled| ≤ 8."""


class Window(NamedTuple):
    """The input of the feature groups, in the signal's unit."""

    filled: Tensor
    """The samples [..., n]; gaps are interpolated, edges held, and all zeros if all are missing."""
    ordered: Tensor
    """The valid samples in ascending order [..., n], followed by infinity for missing ones; all
    zeros if all are missing."""
    valid_count: Tensor
    """The number [..., 1] int64 of valid samples."""
    scale: Tensor
    """A power of two [..., 1] near the largest magnitude."""
    of_valid: Deviations
    """Deviations of valid samples, 0 for missing ones, for features that ignore the order."""
    of_filled: Deviations
    """Deviations of `filled`, for features that depend on the order."""


def prepare_window(x: Tensor) -> Window:
    """Handle the gaps of `x` [..., n], sort it, centre and scale it.

    Eager code first checks whether any sample is missing, by one cheap sum. A traced program cannot
    branch on data and always takes the general path, with the same result.
    """
    # Missing samples make the sum non-finite. An overflow does, too, but only costs time.
    if not torch.compiler.is_compiling() and bool(torch.isfinite(x.sum())):
        return _complete(x)
    return _with_gaps(x)


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
    valid = x.abs() < torch.inf
    count = valid.sum(-1, keepdim=True)
    ordered = sort_ascending(torch.where(valid, x, torch.where(count > 0, torch.inf, 0.0)))
    median = ordered.gather(-1, count // 2)
    high = ordered.gather(-1, (count - 1).clamp(min=0))
    scale = _power_of_two(torch.maximum(-ordered[..., :1], high))

    filled = fill_linearly(x, valid)
    rough = _roughly_centred(filled, median, scale)
    shift = rough.mean(-1, keepdim=True)
    of_filled = Deviations(median + shift * scale, rough - shift)

    rough = torch.where(valid, rough, 0.0)
    shift = rough.sum(-1, keepdim=True) / count.clamp(min=1)
    of_valid = Deviations(median + shift * scale, torch.where(valid, rough - shift, 0.0))
    return Window(filled, ordered, count, scale, of_valid, of_filled)


def _power_of_two(magnitude: Tensor) -> Tensor:
    """Return the power of two in (magnitude / 4, magnitude / 2], so that division is exact.

    Its reciprocal is a normal number, too.
    """
    magnitude = magnitude.clamp(min=4 * torch.finfo(magnitude.dtype).tiny)
    mantissa, _ = torch.frexp(magnitude)
    return magnitude / (4 * mantissa)


def _roughly_centred(x: Tensor, pivot: Tensor, scale: Tensor) -> Tensor:
    """Return (x - pivot) / scale.

    Subtracting a sample first preserves a small ripple on a large level and makes a constant signal
    exactly zero, unlike subtracting the mean.
    """
    inverse = 1 / scale
    return x * inverse - pivot * inverse
