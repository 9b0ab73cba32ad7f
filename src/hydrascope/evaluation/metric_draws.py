"""The metrics of a head's rows, and their values in each draw of a bootstrap."""

from collections.abc import Sequence

import numpy as np

from hydrascope.evaluation.bootstrap import Array, Bootstrap
from hydrascope.evaluation.own_metrics import weighted_metrics
from hydrascope.evaluation.predictions import LocatedPredictions
from hydrascope.evaluation.sums import metrics_of, row_sums
from hydrascope.schemas.task import HeadSpec


def metric_draws(
    head: HeadSpec, rows: LocatedPredictions, bootstrap: Bootstrap, limits: Sequence[float]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return each metric by name, [], and its value in each draw, [B]; own metrics come last.

    Args:
        head: The head of the rows.
        rows: Rows with all their labels.
        bootstrap: The draws.
        limits: Flag thresholds, as in `row_sums`.

    Raises:
        SpecError: As `weighted_metrics`.
    """
    windows, sums = rows.window.numpy(), row_sums(head, rows, limits)
    point = metrics_of(head, sums.sum(0))
    drawn = bootstrap.of_sums(sums, windows, lambda each: metrics_of(head, each))
    for name, metric in weighted_metrics(head, rows).items():
        point[name] = metric(np.ones((1, len(windows))))[0]
        drawn[name] = bootstrap.of_rows(windows, metric)
    return point, drawn
