"""Sets of classes and intervals of values that hold the truth in a stated share of windows.

Shapes: R rows, K classes, L labels, M margins of a head: L of a multi-label one, else 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from hydrascope.schemas.task import HeadKind, HeadSpec


def strangeness(head: HeadSpec, prediction: Tensor, target: Tensor) -> Tensor:
    """Return how little an answer agrees with the truth, [R, M] float64.

    Classes and labels: 1 − the probability of the true one (M. Sadinle, J. Lei, L. Wasserman,
    JASA 114, 2019). A regression: the absolute error; with quantiles, by how much the truth lies
    outside the outermost two, below 0 inside (Y. Romano, E. Patterson, E. Candès, NeurIPS 2019).

    Args:
        head: Whose answers.
        prediction: What `models.decode` gives, [R, …].
        target: [R, 1], or [R, L] of a multi-label head; without NaN.
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


def kept_classes(head: HeadSpec, answer: Sequence[float], margin: float) -> list[str]:
    """Return the names of the classes that a conformal set keeps; none where all are too strange.

    Args:
        head: Binary, multi-class or ordinal.
        answer: Decoded probabilities.
        margin: Largest strangeness kept.
    """
    if head.kind is HeadKind.BINARY:
        return [name for name, p in _either("present", answer[0]) if 1.0 - p <= margin]
    return [each.name for each, p in zip(head.classes, answer, strict=True) if 1.0 - p <= margin]


def open_labels(head: HeadSpec, answer: Sequence[float], margins: Sequence[float]) -> list[str]:
    """Return the labels of a multi-label head whose presence is not ruled out."""
    rows = zip(head.labels, answer, margins, strict=True)
    return [name for name, p, margin in rows if 1.0 - p <= margin]


def interval(head: HeadSpec, answer: Sequence[float], margin: float) -> tuple[float, float]:
    """Return the conformal interval of a regression, in the head's unit."""
    low, high = (answer[0], answer[-1]) if head.quantiles else (answer[0], answer[0])
    return low - margin, high + margin


def _either(name: str, probability: float) -> tuple[tuple[str, float], tuple[str, float]]:
    return (f"not {name}", 1.0 - probability), (name, probability)
