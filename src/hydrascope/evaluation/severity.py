"""The dependence of errors on the severity of the damage.

Shapes: R rows, P points.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.bootstrap import Array, Bootstrap
from hydrascope.evaluation.predictions import LocatedPredictions, complete
from hydrascope.evaluation.sums import value_errors, wrong_rows
from hydrascope.schemas.calibration import flag_thresholds
from hydrascope.schemas.task import HEALTH, HeadKind, HeadLevel, HeadSpec

_EDGES = (0.0, 0.02, 0.2, 0.4, 0.6, 0.8, 1.0)
"""The bin edges for severities without grades; the first bin counts as healthy."""


def severity_of(
    head: HeadSpec, rows: LocatedPredictions, data: HydraulicDataModule
) -> Array | None:
    """Return the true severity of each row, [R] from 0 to 1; None if it is unknown.

    For a head with graded classes it is the distance of the true class from the healthy one.
    Otherwise it is 1 − the label `health` of the component or machine, if the data have it.
    """
    if head.classes and head.healthy is not None:
        value = np.array([each.value for each in head.classes])
        off = np.abs(value - head.healthy)
        return np.asarray((off / off.max())[rows.target[:, 0].long().numpy()], dtype=np.float64)
    if head.level is HeadLevel.COMPONENT:
        if head.kind is not HeadKind.REGRESSION or head.columns != (HEALTH,):
            return None
        return 1.0 - rows.target[:, 0].double().numpy()
    if HEALTH not in data.table:
        return None
    health = data.table[HEALTH].to_numpy(dtype=np.float64)[rows.window.numpy()]
    return None if np.isnan(health).all() else 1.0 - health


def error_by_severity(
    head: HeadSpec,
    rows: LocatedPredictions,
    data: HydraulicDataModule,
    bootstrap: Bootstrap,
    thresholds: Mapping[str, float],
) -> list[dict[str, Any]]:
    """Return P points: `severity`, `error`, its `interval`, `rows`; none if severity is unknown.

    The error of a regression is the mean absolute error, also over its labels. For other heads it
    is the share of rows that are not entirely right.
    """
    rows = complete(rows)
    severity = severity_of(head, rows, data)
    if severity is None or not len(rows.target):
        return []
    if head.kind is HeadKind.REGRESSION:
        error = value_errors(head, rows).numpy()
    else:
        error = wrong_rows(head, rows, flag_thresholds(head, thresholds)).astype(np.float64)
    places = np.unique(severity)
    if len(places) > len(_EDGES):
        bins = np.digitize(severity, _EDGES[1:-1], right=True)
    else:
        bins = np.searchsorted(places, severity)
    points, windows = [], rows.window.numpy()
    known = ~np.isnan(severity)
    for number in np.unique(bins[known]):
        member = (bins == number) & known
        points.append(
            {
                "severity": float(severity[member].mean()),
                "error": float(error[member].mean()),
                "interval": bootstrap.share_interval(member * error, member, windows),
                "rows": int(member.sum()),
            }
        )
    return points
