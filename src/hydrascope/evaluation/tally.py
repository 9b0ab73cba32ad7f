"""Sums over a head's answers: its metric, its confidence when wrong, and its calibration.

Shapes: R rows; K metric sums; B bins of confidence; M answers per row: L for a multi-label head,
else 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hydrascope.evaluation.bootstrap import Array
from hydrascope.evaluation.calibration import BINS, bin_sums, expected_error, questions
from hydrascope.evaluation.predictions import LocatedPredictions, complete
from hydrascope.evaluation.sums import decisions, metrics_of, row_sums
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.tasks.metrics import PRIMARY_METRIC


@dataclass(frozen=True)
class Tally:
    """Sums over rows.

    Attributes:
        rows: The number of rows with all their labels.
        metric: [K] sums of `sums.row_sums`.
        wrong: [2] number of wrong answers, and the sum of their confidence; 0 for a regression.
        bins: [3 · B] sums of `calibration.bin_sums` over the head's questions; 0 for a regression.
    """

    rows: int
    metric: Array
    wrong: Array
    bins: Array

    @classmethod
    def of(cls, head: HeadSpec, rows: LocatedPredictions, limits: Sequence[float] = ()) -> "Tally":
        """Sum a head's rows; `limits` are those of `schemas.calibration.flag_thresholds`."""
        rows = complete(rows)
        wrong, bins = np.zeros(2), np.zeros(3 * BINS)
        if head.kind is not HeadKind.REGRESSION:
            confidence, right = decisions(head, rows, limits)
            wrong = np.array([(~right).sum(), confidence[~right].sum()], dtype=np.float64)
            for question in questions(head, rows):
                bins += bin_sums(question).sum(0)
        return cls(len(rows.target), row_sums(head, rows, limits).sum(0), wrong, bins)

    def value(self, head: HeadSpec) -> float | None:
        """Return the head's primary metric; None for too few rows."""
        if self.rows < (2 if head.kind is HeadKind.REGRESSION else 1):
            return None
        return _known(metrics_of(head, self.metric)[PRIMARY_METRIC[head.kind]])

    @property
    def wrong_confidence(self) -> float | None:
        """The mean confidence of wrong answers; None if there are none."""
        return mean_confidence(self.wrong)


def mean_confidence(wrong: Array) -> float | None:
    """Return the mean confidence from `Tally.wrong`, [2]; None without wrong answers."""
    count, confidence = wrong
    return float(confidence / count) if count else None


def ece(bins: Array) -> float | None:
    """Return the expected calibration error of summed bins; None if they are empty."""
    return _known(expected_error(bins))


def _known(value: Array) -> float | None:
    return float(value) if np.isfinite(value) else None
