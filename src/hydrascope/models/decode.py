"""Conversion of a head's raw output to values and probabilities, and back."""

import torch
import torch.nn.functional as F
from torch import Tensor

from hydrascope.schemas.task import HeadKind, HeadSpec

_FAR = 1e4
"""A logit whose probability is 0 or 1 to the last digit."""
_TINY = 1e-37
_LARGEST_LOG = 80.0
"""The logarithm up to which exp stays finite in float32, with a margin."""


def learned(head: HeadSpec, value: Tensor) -> Tensor:
    """Return the numbers that a regression learns from values in its unit; `decode` inverts it."""
    return value.log1p() if head.scale == "log" else value


def _in_unit(head: HeadSpec, output: Tensor) -> Tensor:
    """Return a regression's values in its unit, at most its cap; at least 0 if its scale is log."""
    if head.scale == "log":
        output = output.clamp(0.0, _LARGEST_LOG).expm1()
    return output if head.cap is None else output.clamp_max(head.cap)


def decode(head: HeadSpec, output: Tensor) -> Tensor:
    """Convert a head's raw output to values or probabilities.

    - Regression: the value [R, 1], the values of the labels [R, L], or the quantiles [R, Q], all
      in the head's unit.
      Quantiles that cross are sorted; the first and the last bound an interval.
    - Binary [R, 1] and multi-label [R, L]: the probability that each label is present.
    - Multi-class and ordinal [R, K]: the probability of each class; they sum to 1. An ordinal head
      has K−1 logits of "above class k". A running minimum makes them decrease before differences
      are taken.
    """
    match head.kind:
        case HeadKind.REGRESSION:
            values = _in_unit(head, output)
            return values.sort(dim=-1).values if head.quantiles else values
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            return output.sigmoid()
        case HeadKind.MULTI_CLASS:
            return output.softmax(dim=-1)
        case HeadKind.ORDINAL:
            above = output.sigmoid().cummin(dim=-1).values
            return F.pad(above, (1, 0), value=1.0) - F.pad(above, (0, 1), value=0.0)


def encode(head: HeadSpec, log_probability: Tensor) -> Tensor:
    """Return the raw output that `decode` maps to these probabilities.

    Args:
        head: A multi-class, ordinal or binary head.
        log_probability: [R, K] for its classes; for a binary head [R, 2], absent and present.

    Returns:
        Multi-class: the log probabilities themselves, [R, K]. Ordinal and binary: the log odds of
        being above each class except the last, [R, K−1]. Infinite log odds are clipped.
    """
    log = log_probability.clamp_min(-_FAR)
    if head.kind is HeadKind.MULTI_CLASS:
        return log
    odds = [
        log[:, last:].logsumexp(dim=1) - log[:, :last].logsumexp(dim=1)
        for last in range(1, log.shape[1])
    ]
    return torch.stack(odds, dim=1)


def log_probabilities(head: HeadSpec, output: Tensor) -> Tensor:
    """Return the log probabilities of a head's raw output, exact far below 1e-7.

    Multi-class and ordinal: [R, K]. Binary and multi-label: [R, L, 2], absent and present.
    """
    match head.kind:
        case HeadKind.MULTI_CLASS:
            return output.log_softmax(dim=-1)
        case HeadKind.ORDINAL:
            # σ(a) − σ(b) = σ(a) σ(−b) (1 − exp(b − a)), with a = "above k − 1" and b = "above k".
            logits = output.cummin(dim=-1).values
            above = F.pad(logits, (1, 0), value=_FAR)
            next_above = F.pad(logits, (0, 1), value=-_FAR)
            between = -torch.expm1(next_above - above)
            log = F.logsigmoid(above) + F.logsigmoid(-next_above)
            return log + between.clamp_min(_TINY).log()
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            return torch.stack([F.logsigmoid(-output), F.logsigmoid(output)], dim=-1)
    raise AssertionError(head.kind)
