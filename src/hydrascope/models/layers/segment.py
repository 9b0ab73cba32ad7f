"""Reductions over groups of rows: edges of a node, sensors of a component, components of a graph.

Row k of `values` belongs to segment `index[k]`; rows need not be sorted. Shapes: K rows, M
segments, `...` any trailing axes. `num_segments` is an int, or a SymInt (`shape[0]`) while a
program is exported or compiled. It is never read from the data, so no call waits for the device and
no shape depends on a value.
"""

import torch
from torch import Tensor


def _rows(index: Tensor, values: Tensor) -> Tensor:
    """Broadcast `index` [K] over the trailing axes of `values` [K, ...]."""
    return index.view(-1, *([1] * (values.dim() - 1))).expand_as(values)


def segment_sum(values: Tensor, index: Tensor, num_segments: int) -> Tensor:
    """Sum rows per segment: [K, ...], [K] -> [M, ...]; an empty segment is 0."""
    # The backward pass of index_add is a plain row gather. scatter_add is faster forward, but twice
    # as slow over both passes (one thread, 900 edges x 10 steps x 64 channels).
    return values.new_zeros((num_segments, *values.shape[1:])).index_add(0, index, values)


def segment_mean(values: Tensor, index: Tensor, num_segments: int) -> Tensor:
    """Average rows per segment: [K, ...], [K] -> [M, ...]; an empty segment is 0."""
    counts = segment_sum(torch.ones_like(index), index, num_segments).clamp_min(1)
    total = segment_sum(values, index, num_segments)
    return total / counts.view(-1, *([1] * (values.dim() - 1))).to(values.dtype)


def segment_max(values: Tensor, index: Tensor, num_segments: int) -> Tensor:
    """Return the maximum per segment: [K, ...], [K] -> [M, ...]; an empty segment is 0."""
    empty = values.new_zeros((num_segments, *values.shape[1:]))
    return empty.scatter_reduce(0, _rows(index, values), values, "amax", include_self=False)


def segment_min(
    values: Tensor, index: Tensor, num_segments: int, mask: Tensor, empty: float
) -> Tensor:
    """Return the minimum per segment: [K, ...], [K] -> [M, ...].

    Args:
        values: [K, ...].
        index: [K] int64.
        num_segments: M.
        mask: bool, broadcastable to `values`; rows with False do not count.
        empty: The value of a segment without any row that counts.
    """
    masked = values.masked_fill(~mask, torch.finfo(values.dtype).max)
    least = -segment_max(-masked, index, num_segments)
    rows = segment_sum(mask.expand_as(values).to(values.dtype), index, num_segments)
    return torch.where(rows > 0, least, empty)


def segment_logsumexp(
    values: Tensor, index: Tensor, num_segments: int, mask: Tensor, empty: float
) -> Tensor:
    """Return the log of the sum of exponentials per segment: [K, ...], [K] -> [M, ...].

    The arguments are those of `segment_min`.
    """
    masked = values.masked_fill(~mask, torch.finfo(values.dtype).min)
    # The shift is subtracted and added again, so it needs no gradient.
    largest = segment_max(masked.detach(), index, num_segments)
    parts = (masked - largest.index_select(0, index)).exp() * mask
    # The largest row that counts adds exp(0) = 1, so a total of 0 means an empty segment.
    total = segment_sum(parts, index, num_segments)
    nothing = total == 0
    return torch.where(nothing, empty, largest + total.masked_fill(nothing, 1.0).log())


def segment_softmax(
    logits: Tensor, index: Tensor, num_segments: int, mask: Tensor | None = None
) -> Tensor:
    """Apply softmax over the rows of each segment: [K, ...], [K] -> [K, ...].

    Args:
        logits: [K, ...].
        index: [K] int64.
        num_segments: M.
        mask: bool, broadcastable to `logits`; rows with False get exactly weight 0. A segment
            without any unmasked row has weights 0, not NaN.
    """
    if mask is not None:
        logits = logits.masked_fill(~mask, torch.finfo(logits.dtype).min)
    # The shift cancels in the quotient, so it needs no gradient.
    largest = segment_max(logits.detach(), index, num_segments)
    weights = (logits - largest.index_select(0, index)).exp()
    if mask is not None:
        weights = weights * mask
    # The largest unmasked row adds exp(0) = 1, so a total of 0 means an empty segment. A single
    # row has a total of 1 and still needs its gradient, which a clamp at 1 would remove.
    total = segment_sum(weights, index, num_segments)
    return weights / total.masked_fill(total == 0, 1.0).index_select(0, index)


def weigh_heads(rows: Tensor, weights: Tensor) -> Tensor:
    """Multiply each head's channels by its weight: [..., C], [..., H] -> [..., C].

    A matrix product with zeros and ones repeats the weights along the channels. Its backward pass
    sums over a head's channels. Both are much faster than broadcasting over a short last axis.
    """
    heads = weights.shape[-1]
    spread = torch.eye(heads, dtype=weights.dtype, device=weights.device)
    return rows * (weights @ spread.repeat_interleave(rows.shape[-1] // heads, dim=1))
