"""Metrics as functions of sums over rows, so that any weighting of rows is one matrix product.

Shapes: R rows, K sums, L labels, C classes, and any leading axes (draws of a bootstrap).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.evaluation.predictions import HeadPredictions
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.tasks.metrics import predicted_class
from hydrascope.tasks.quantile_scores import quantile_scores, score_names

Array = NDArray[np.float64]
_PER_LABEL = 5
"""The number of sums of each label of a regression."""


def row_sums(head: HeadSpec, rows: HeadPredictions, thresholds: Sequence[float] = ()) -> Array:
    """Return each row's contribution to the head's sums, [R, K].

    - Classes: one of C · C cells, true by predicted class.
    - Labels: true positive, false positive, false negative and true negative, for each label.
    - Regression: 1, |e|, e², y, y² for each label, with y measured from the mean target; then the
      scores of the quantiles, if there are any.

    Args:
        head: The head of the rows.
        rows: Rows with all their labels.
        thresholds: [L] flag thresholds of a multi-label head; empty: 0.5.
    """
    target = rows.target.double().numpy()
    if head.kind is HeadKind.REGRESSION:
        error = values(head, rows.prediction).double().numpy() - target
        y = target - (target.mean(0) if len(target) else 0.0)
        numbers = np.stack([np.ones_like(y), np.abs(error), error**2, y, y**2], axis=1)
        scores = quantile_scores(head, rows.prediction.double(), rows.target.double())
        of_quantiles = [score.unsqueeze(1).numpy() for score in scores.values()]
        flat = numbers.reshape(len(target), _PER_LABEL * target.shape[1])
        return np.concatenate([flat, *of_quantiles], axis=1)
    if head.kind is HeadKind.MULTI_LABEL:
        true = target == 1
        flagged = rows.prediction.double().numpy() >= np.array(thresholds or [0.5])
        counts = np.stack(
            [true & flagged, ~true & flagged, true & ~flagged, ~true & ~flagged], axis=2
        )
        return counts.reshape(len(target), 4 * len(head.labels)).astype(np.float64)
    classes = len(head.classes) or 2
    cell = torch.from_numpy(target[:, 0]).long() * classes + predicted_class(head, rows.prediction)
    cells: Array = np.eye(classes * classes)[cell.numpy()]
    return cells


def metrics_of(head: HeadSpec, sums: Array) -> dict[str, Array]:
    """Return the metrics of `tasks.metrics.HeadMetrics` from sums [..., K]; NaN without rows."""
    if head.kind is HeadKind.REGRESSION:
        of_labels, scores = np.split(sums, [_PER_LABEL * len(head.columns)], axis=-1)
        by_label = of_labels.reshape(*sums.shape[:-1], _PER_LABEL, -1)
        count, absolute, squared, y, y2 = np.moveaxis(by_label, -2, 0)
        # A label that does not vary says nothing about how well it is predicted.
        spread = y2 - _share(y * y, count)
        varies = spread > 1e-9 * y2  # less is rounding
        r2 = 1.0 - _share(squared, np.where(varies, spread, 0.0), empty=1.0)
        return {
            "mae": _share(absolute, count).mean(-1),
            "rmse": np.sqrt(_share(squared, count)).mean(-1),
            "r2": np.where(varies.any(-1), r2.mean(-1), np.nan),
            **{
                name: _share(scores[..., number], count[..., 0])
                for number, name in enumerate(score_names(head))
            },
        }
    if head.kind is HeadKind.MULTI_LABEL:
        tp, fp, fn, tn = _label_cells(head, sums)
        rows = (tp + fp + fn + tn).sum(-1)
        f1 = _share(2 * tp, 2 * tp + fp + fn, empty=0.0).mean(-1)
        return {
            "accuracy": _share((tp + tn).sum(-1), rows),
            "macro_f1": np.where(rows > 0, f1, np.nan),
        }
    classes = len(head.classes) or 2
    table = sums.reshape(*sums.shape[:-1], classes, classes)
    right = np.diagonal(table, axis1=-2, axis2=-1)
    both = table.sum(-1) + table.sum(-2)
    metrics = {
        "accuracy": _share(right.sum(-1), table.sum((-1, -2))),
        # Classes that neither occur nor are predicted do not count.
        "macro_f1": _share(_share(2 * right, both, empty=0.0).sum(-1), (both > 0).sum(-1)),
    }
    if head.classes:
        value = np.array([each.value for each in head.classes])
        off = np.abs(value[:, None] - value[None, :])
        metrics["mae"] = _share((table * off).sum((-1, -2)), table.sum((-1, -2)))
    return metrics


def outcome_names(head: HeadSpec) -> tuple[str, ...]:
    """Return the outcomes that are judged separately: classes, labels or a binary `present`."""
    return tuple(each.name for each in head.classes) or head.labels or ("present",)


def class_names(head: HeadSpec) -> tuple[str, ...]:
    """Return the classes in the order of a confusion matrix; a binary head has two."""
    return tuple(each.name for each in head.classes) or ("no", "yes")


def outcome_rows(
    head: HeadSpec, rows: HeadPredictions, number: int
) -> tuple[Array, NDArray[np.bool_]]:
    """Return the probability of an outcome and whether it was present, [R] each."""
    score = rows.prediction[:, number].double().numpy()
    if head.classes:
        return score, (rows.target[:, 0] == number).numpy()
    return score, (rows.target[:, number] == 1).numpy()


def outcome_metrics(head: HeadSpec, sums: Array, number: int) -> dict[str, Array]:
    """Return precision, recall and F1 of an outcome, from sums [..., K]."""
    if head.kind is HeadKind.MULTI_LABEL:
        tp, fp, fn, _ = _label_cells(head, sums)[..., number]
    else:
        classes = len(head.classes) or 2
        chosen = number if head.classes else 1
        table = sums.reshape(*sums.shape[:-1], classes, classes)
        tp = table[..., chosen, chosen]
        fp, fn = table[..., chosen].sum(-1) - tp, table[..., chosen, :].sum(-1) - tp
    return {
        "precision": _share(tp, tp + fp),
        "recall": _share(tp, tp + fn),
        "f1": _share(2 * tp, 2 * tp + fp + fn),
    }


def value_errors(head: HeadSpec, rows: HeadPredictions) -> Tensor:
    """Return a regression's absolute error, [R] float64; with labels, the mean over them."""
    return (values(head, rows.prediction) - rows.target).abs().double().mean(1)


def decisions(
    head: HeadSpec, rows: HeadPredictions, limits: Sequence[float] = ()
) -> tuple[Array, NDArray[np.bool_]]:
    """Return the confidence of each answer of a head with outcomes, and if it was right, [R, M].

    The confidence of a class is its probability. That of a flag is the probability of the label if
    it is raised, else of the label's absence.
    """
    p = rows.prediction.double().numpy()
    target = rows.target.numpy()
    match head.kind:
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            if head.kind is HeadKind.BINARY:
                flagged = predicted_class(head, rows.prediction).bool().numpy()[:, None]
            else:
                flagged = p >= np.array(limits or [0.5])
            return np.where(flagged, p, 1.0 - p), flagged == (target == 1)
    chosen = predicted_class(head, rows.prediction).numpy()
    return p.max(axis=1, keepdims=True), (chosen == target[:, 0])[:, None]


def wrong_rows(
    head: HeadSpec, rows: HeadPredictions, thresholds: Sequence[float] = ()
) -> NDArray[np.bool_]:
    """Return which rows of a head with outcomes are not entirely right, [R].

    The arguments are those of `row_sums`.
    """
    _, right = decisions(head, rows, thresholds)
    return np.asarray(~right.all(axis=1))


def values(head: HeadSpec, prediction: Tensor) -> Tensor:
    """Return the values of a regression, [R, L]; [R, 1] without labels."""
    return prediction if head.labels else prediction[:, [head.median]]


def _label_cells(head: HeadSpec, sums: Array) -> Array:
    """Return true positives, false positives, false negatives, true negatives, [4, ..., L]."""
    return np.moveaxis(sums.reshape(*sums.shape[:-1], len(head.labels), 4), -1, 0)


def _share(part: Array, whole: Array, empty: float = np.nan) -> Array:
    """Return part / whole, and `empty` where the whole is 0."""
    filled = whole > 0
    quotient: Array = np.where(filled, part / np.where(filled, whole, 1.0), empty)
    return quotient
