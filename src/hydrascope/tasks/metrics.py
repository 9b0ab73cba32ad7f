"""Metrics of each kind of head, in the units of its labels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError, Metric, MetricCollection, R2Score
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryF1Score,
    MulticlassAccuracy,
    MulticlassF1Score,
    MultilabelAccuracy,
    MultilabelF1Score,
)

from hydrascope.schemas.task import HeadKind, HeadSpec


class HeadMetrics(nn.Module):
    """Accumulates one head's metrics over batches.

    Multi-class and ordinal: accuracy, macro F1, and `mae`, the mean absolute error between the
    values of the most probable and the true class, in the head's unit. Binary: accuracy, F1 of
    each class averaged (macro). Multi-label: accuracy, macro F1. Regression: mae, R².
    """

    def __init__(self, head: HeadSpec) -> None:
        super().__init__()
        self.head = head
        metrics: dict[str, Metric | MetricCollection]
        match head.kind:
            case HeadKind.MULTI_CLASS | HeadKind.ORDINAL:
                classes = len(head.classes)
                metrics = {
                    "accuracy": MulticlassAccuracy(classes, average="micro"),
                    "macro_f1": MulticlassF1Score(classes, average="macro"),
                }
            case HeadKind.BINARY:
                metrics = {
                    "accuracy": BinaryAccuracy(),
                    "macro_f1": MulticlassF1Score(2, average="macro"),
                }
            case HeadKind.MULTI_LABEL:
                names = len(head.labels)
                metrics = {
                    "accuracy": MultilabelAccuracy(names, average="micro"),
                    "macro_f1": MultilabelF1Score(names, average="macro"),
                }
            case HeadKind.REGRESSION:
                metrics = {"r2": R2Score()}
        self.metrics = MetricCollection(metrics)
        self.mae = MeanAbsoluteError()
        self.register_buffer("values", torch.tensor([c.value for c in head.classes]))
