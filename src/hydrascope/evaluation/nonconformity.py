"""How little answers agree with the truth, which conformal sets and intervals are made of.

Shapes: R rows, L labels, M margins of a head: L of one with labels, else 1.
"""

import torch
from torch import Tensor

from hydrascope.schemas.task import HeadKind, HeadSpec


def nonconformity(head: HeadSpec, prediction: Tensor, target: Tensor) -> Tensor:
    """Return how little an answer agrees with the truth, [R, M] float64.

    Classes and labels: 1 − the probability of the true one (M. Sadinle, J. Lei, L. Wasserman,
    JASA 114, 2019). A regression: the absolute error; with quantiles, by how much the truth lies
    outside the outermost two, below 0 inside (Y. Romano, E. Patterson, E. Candès, NeurIPS 2019).

    Args:
        head: Whose answers.
        prediction: What `models.decode` gives, [R, …].
        target: [R, 1], or [R, L] of a head with labels; without NaN.
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
