"""What the answers of a head add up to: how good, how sure where wrong, how well calibrated.

Shapes: R rows, K metric sums, B bins of confidence, M answers of a row: L of a multi-label head,
else 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydrascope.evaluation.bootstrap import Array
from hydrascope.evaluation.calibration import BINS, bin_sums, expected_error, questions
from hydrascope.evaluation.predictions import HeadPredictions, LocatedPredictions, complete
from hydrascope.evaluation.sums import metrics_of, row_sums
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.tasks.metrics import PRIMARY_METRIC, predicted_class


@dataclass(frozen=True)
class Tally:
    """Sums over rows.

    Attributes:
        rows: That have all their labels.
        metric: [K] as `sums.row_sums`.
        wrong: [2] how many answers were wrong, and the sum of their confidence; 0 of a regression.
        bins: [3 · B] as `calibration.bin_sums`, over all questions of the head; likewise.
    """

    rows: int
    metric: Array
    wrong: Array
    bins: Array

    @classmethod
    def of(cls, head: HeadSpec, rows: LocatedPredictions, limits: Sequence[float] = ()) -> "Tally":
        """Add up a head's rows; `limits` as `schemas.calibration.flag_thresholds`."""
        rows = complete(rows)
        wrong, bins = np.zeros(2), np.zeros(3 * BINS)
        if head.kind is not HeadKind.REGRESSION:
            confidence, right = decisions(head, rows, limits)
            wrong = np.array([(~right).sum(), confidence[~right].sum()], dtype=np.float64)
            for question in questions(head, rows):
                bins += bin_sums(question).sum(0)
        return cls(len(rows.target), row_sums(head, rows, limits).sum(0), wrong, bins)

    def value(self, head: HeadSpec) -> float | None:
        """Return the head's primary metric; None of too few rows."""
        if self.rows < (2 if head.kind is HeadKind.REGRESSION else 1):
            return None
        return _known(metrics_of(head, self.metric)[PRIMARY_METRIC[head.kind]])

    @property
    def wrong_confidence(self) -> float | None:
        """The mean confidence of wrong answers; None where nothing was wrong."""
        return mean_confidence(self.wrong)


def mean_confidence(wrong: Array) -> float | None:
    """Return the mean of summed confidences, [2] as `Tally.wrong`; None of none."""
    count, confidence = wrong
    return float(confidence / count) if count else None


def ece(bins: Array) -> float | None:
    """Return the expected calibration error of summed bins; None of none."""
    return _known(expected_error(bins))


def decisions(
    head: HeadSpec, rows: HeadPredictions, limits: Sequence[float] = ()
) -> tuple[Array, NDArray[np.bool_]]:
    """Return how sure each answer of a head with outcomes was, and whether it was right, [R, M].

    The confidence of a class is its probability, that of a flag the probability that it is there,
    or, where none is raised, that it is not.
    """
    p = rows.prediction.double().numpy()
    target = rows.target.numpy()
    match head.kind:
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            if head.kind is HeadKind.BINARY:
                said = predicted_class(head, rows.prediction).bool().numpy()[:, None]
            else:
                said = p >= np.array(limits or [0.5])
            return np.where(said, p, 1.0 - p), said == (target == 1)
    chosen = predicted_class(head, rows.prediction).numpy()
    return p.max(axis=1, keepdims=True), (chosen == target[:, 0])[:, None]


def _known(value: Array) -> float | None:
    return float(value) if np.isfinite(value) else None
