"""The metrics of each kind of head, in the units of its labels."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchmetrics import (
    MaxMetric,
    MeanAbsoluteError,
    MeanMetric,
    MeanSquaredError,
    MetricCollection,
    MinMetric,
    R2Score,
    SumMetric,
)
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MultilabelAccuracy,
    MultilabelF1Score,
)

from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.tasks.quantile_scores import quantile_scores, score_names

PRIMARY_METRIC = {
    HeadKind.REGRESSION: "r2",
    HeadKind.BINARY: "accuracy",
    HeadKind.MULTI_LABEL: "macro_f1",
    HeadKind.MULTI_CLASS: "accuracy",
    HeadKind.ORDINAL: "accuracy",
}
"""The metric of each kind of head that enters the task's score; larger is better."""


class HeadMetrics(nn.Module):
    """Accumulates one head's metrics over batches of decoded predictions.

    - Binary, multi-class and ordinal: `accuracy`, `macro_f1` and, if classes have values, `mae`. It
      is the mean absolute error between the values of the most probable and the true class, in the
      head's unit.
    - Multi-label: `accuracy` and `macro_f1` over the labels.
    - Regression: `mae`, `rmse` and `r2`, averaged over the labels if there are any. A constant
      label has `r2` 0. With quantiles also the scores of `tasks.quantile_scores`.

    There are no metrics without labelled rows, and none for a regression with a single row. There
    is no `r2` where no label varies.

    Args:
        head: The head.
        thresholds: The probabilities from which the labels of a multi-label head are flagged, [L];
            0.5 if empty.
    """

    values: Tensor
    thresholds: Tensor

    def __init__(self, head: HeadSpec, thresholds: Sequence[float] = ()) -> None:
        super().__init__()
        self.head = head
        values = torch.tensor([cls.value for cls in head.classes])
        self.register_buffer("values", values, persistent=False)
        flagged = torch.tensor(thresholds or [0.5] * len(head.labels))
        self.register_buffer("thresholds", flagged, persistent=False)
        self.rows = SumMetric()
        self.by_class = MetricCollection({})
        self.by_value = MetricCollection({})
        self.scores = MetricCollection(
            {name: MeanMetric() for name in score_names(head)}, compute_groups=False
        )
        self.ends = MetricCollection({})
        match head.kind:
            case HeadKind.REGRESSION:
                labels = len(head.columns)
                self.by_value = MetricCollection(
                    {
                        "mae": MeanAbsoluteError(),
                        "rmse": MeanSquaredError(squared=False, num_outputs=labels),
                        "r2": R2Score(),
                    }
                )
                self.ends = MetricCollection(
                    {
                        f"{end}_{label}": kind()
                        for label in range(labels)
                        for end, kind in (("low", MinMetric), ("high", MaxMetric))
                    },
                    compute_groups=False,
                )
            case HeadKind.MULTI_LABEL:
                names = len(head.labels)
                self.by_class = MetricCollection(
                    {
                        # Validation would reject a head with a single label.
                        "accuracy": MultilabelAccuracy(names, average="micro", validate_args=False),
                        "macro_f1": MultilabelF1Score(names, average="macro", validate_args=False),
                    }
                )
            case HeadKind.BINARY | HeadKind.MULTI_CLASS | HeadKind.ORDINAL:
                classes = len(head.classes) or 2
                self.by_class = MetricCollection(
                    {
                        "accuracy": MulticlassAccuracy(classes, average="micro"),
                        "macro_f1": MulticlassF1Score(classes, average="macro"),
                    }
                )
                if head.classes:
                    self.by_value = MetricCollection({"mae": MeanAbsoluteError()})

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add rows; those with a missing label do not count.

        Args:
            prediction: The output of `models.decode`, [R, …].
            target: [R, L]; NaN where missing.
        """
        labelled = ~target.isnan().any(dim=1)
        prediction, target = prediction[labelled], target[labelled]
        self.rows.update(len(target))
        if not len(target):
            return
        if self.head.kind is HeadKind.REGRESSION:
            if self.head.labels:
                self.by_value.update(prediction, target)
            else:
                self.by_value.update(prediction[:, self.head.median], target[:, 0])
            for label, values in enumerate(target.unbind(dim=1)):
                for end in ("low", "high"):
                    self.ends[f"{end}_{label}"].update(values)
            for name, score in quantile_scores(self.head, prediction, target).items():
                self.scores[name].update(score)
            return
        if self.head.kind is HeadKind.MULTI_LABEL:
            self.by_class.update((prediction >= self.thresholds).long(), target.long())
            return
        chosen, true = predicted_class(self.head, prediction), target[:, 0].long()
        self.by_class.update(chosen, true)
        if len(self.by_value):
            self.by_value.update(self.values[chosen], self.values[true])

    def compute(self) -> dict[str, float]:
        """Return the metrics over all rows since the last reset; empty if there are too few."""
        fewest = 2 if self.head.kind is HeadKind.REGRESSION else 1
        if float(self.rows.compute()) < fewest:
            return {}
        scores = self.scores.compute()
        computed = {**self.by_class.compute(), **self.by_value.compute()}
        computed |= {name: scores[name] for name in score_names(self.head)}
        if self.head.kind is HeadKind.REGRESSION and not self._varies():
            del computed["r2"]
        return {name: float(value.mean()) for name, value in computed.items()}

    def reset(self) -> None:
        """Discard all rows."""
        for each in (self.rows, self.by_class, self.by_value, self.ends, self.scores):
            each.reset()

    def _varies(self) -> bool:
        """Return whether any label has two values."""
        ends = self.ends.compute()
        labels = range(len(self.head.columns))
        return any(float(ends[f"low_{each}"]) < float(ends[f"high_{each}"]) for each in labels)


def predicted_class(head: HeadSpec, prediction: Tensor) -> Tensor:
    """Return the most probable class of each row, [R] int64."""
    if head.kind is HeadKind.BINARY:
        return (prediction[:, 0] > 0.5).long()
    return prediction.argmax(dim=1)


def task_score(heads: Sequence[HeadSpec], metrics: Mapping[str, Mapping[str, float]]) -> float:
    """Return the mean of the heads' primary metrics, with the weights of their losses.

    Heads without that metric do not count. It is NaN if no head has it.
    """
    scored = [head for head in heads if PRIMARY_METRIC[head.kind] in metrics[head.name]]
    total = sum(head.weight for head in scored)
    score = sum(head.weight * metrics[head.name][PRIMARY_METRIC[head.kind]] for head in scored)
    return score / total if scored else math.nan
