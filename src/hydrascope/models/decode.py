"""From a head's raw output to what a person reads: values and probabilities."""

import torch.nn.functional as F
from torch import Tensor

from hydrascope.schemas.task import HeadKind, HeadSpec


def decode(head: HeadSpec, output: Tensor) -> Tensor:
    """Return a regression's value [R, 1] or quantiles [R, Q], or probabilities.

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
