"""From a head's raw output to what a person reads, values and probabilities, and back."""

import torch
import torch.nn.functional as F
from torch import Tensor

from hydrascope.schemas.task import HeadKind, HeadSpec

_FAR = 1e4
"""A logit whose probability is 0 or 1 to the last digit."""
_TINY = 1e-37


def decode(head: HeadSpec, output: Tensor) -> Tensor:
    """Return a regression's value [R, 1], values [R, L] or quantiles [R, Q], or probabilities.

    Quantiles are put in order where they cross; the first and the last bound an interval.

    Binary [R, 1] and multi-label [R, L]: of each being present. Multi-class and ordinal [R, K]: of
    each class, summing to 1. An ordinal head gives K−1 logits of "above class k"; where they are
    not falling, the running minimum makes them so before differences are taken.
    """
    match head.kind:
        case HeadKind.REGRESSION:
            return output.sort(dim=-1).values if head.quantiles else output
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            return output.sigmoid()
        case HeadKind.MULTI_CLASS:
            return output.softmax(dim=-1)
        case HeadKind.ORDINAL:
            above = output.sigmoid().cummin(dim=-1).values
            return F.pad(above, (1, 0), value=1.0) - F.pad(above, (0, 1), value=0.0)


def encode(head: HeadSpec, log_probability: Tensor) -> Tensor:
    """Return the raw output that `decode` makes these probabilities of; of heads with classes.

    Args:
        head: Multi-class, ordinal or binary.
        log_probability: [R, K] of its classes; of a binary head [R, 2], absent and present.

    Returns:
        Multi-class: the logarithms themselves, [R, K]. Ordinal and binary: log odds of being above
        each class but the last, [R, K−1]. The log odds of what is certain are limited.
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
    """Return the logarithms of a head's probabilities by its raw output, exact far below 1e-7.

    Multi-class and ordinal [R, K]; binary and multi-label [R, L, 2], of absent and present.
    """
    match head.kind:
        case HeadKind.MULTI_CLASS:
            return output.log_softmax(dim=-1)
        case HeadKind.ORDINAL:
            # σ(a) − σ(b) = σ(a) σ(−b) (1 − exp(b − a)), of a = "above k − 1" and b = "above k".
            logits = output.cummin(dim=-1).values
            above, next_above = (
                F.pad(logits, (1, 0), value=_FAR),
                F.pad(logits, (0, 1), value=-_FAR),
            )
            between = -torch.expm1(next_above - above)
            log = F.logsigmoid(above) + F.logsigmoid(-next_above)
            return log + between.clamp_min(_TINY).log()
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            return torch.stack([F.logsigmoid(-output), F.logsigmoid(output)], dim=-1)
    raise AssertionError(head.kind)
