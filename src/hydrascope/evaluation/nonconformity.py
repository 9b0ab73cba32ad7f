"""Nonconformity scores, on which conformal sets and intervals are based.

Shapes: R rows; L labels; M margins per head: L for a head with labels, else 1.
"""

import torch
from torch import Tensor

from hydrascope.schemas.task import HeadKind, HeadSpec


def nonconformity(head: HeadSpec, prediction: Tensor, target: Tensor) -> Tensor:
    """Return how much an answer disagrees with the truth, [R, M] float64.

    Classes and labels: 1 − the probability of the truth (M. Sadinle, J. Lei, L. Wasserman,
    JASA 114, 2019). Regression: the absolute error. Regression with quantiles: how far the truth
    lies outside the two outermost, negative if inside (Y. Romano, E. Patterson, E. Candès,
    NeurIPS 2019).

    Args:
        head: The head that answered.
        prediction: [R, …] the output of `models.decode`.
        target: [R, 1], or [R, L] for a head with labels; without NaN.
    """
    prediction, target = prediction.double(), target.double()
    match head.kind:
        case HeadKind.REGRESSION if head.quantiles:
            return torch.maximum(prediction[:, :1] - target, target - prediction[:, -1:])
        case HeadKind.REGRESSION:
            return (prediction - target).abs()
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            return torch.where(target == 1, 1.0 - prediction, prediction)
    return 1.0 - prediction.gather(1, target.long())
