"""Metrics of alarms by row, as data sets labelled row by row are judged.

A row is an instant of telemetry, at the highest rate of the machine's sensors. It has its own label
and the score of the first tested window that contains it: the answer that is known soonest. Alarms
are not point adjusted.

Shapes: K runs of rows with one window and one state, R tested windows.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.healthy import healthy_windows
from hydrascope.data.windows import EQUIPMENT, WindowNumbers, microseconds
from hydrascope.evaluation.bootstrap import Array, Bootstrap, auroc
from hydrascope.evaluation.detection_metrics import shares


class RowRuns(NamedTuple):
    """The rows of all test windows, in runs."""

    window: WindowNumbers
    """Row of the window table, [K]."""
    state: NDArray[np.float32]
    """1 healthy, 0 unhealthy, NaN unknown, [K]."""
    size: Array
    """Number of rows in each run, [K]."""

    @classmethod
    def of(cls, data: HydraulicDataModule) -> "RowRuns":
        """Return the rows of a data module's test windows, with the truth by their own labels."""
        labels = [data.source.labels(name) for name in data.machines]
        every = pd.concat([each.drop(columns=["start", "end"]) for each in labels])
        judged = bool(data.healthy_labels)  # otherwise every row is healthy, labelled or not
        state = (
            healthy_windows(every, data.healthy_labels)
            if judged
            else np.ones(len(every), dtype=np.float32)
        )
        own_state = np.split(state, np.cumsum([len(each) for each in labels])[:-1])
        tested = data.table.iloc[data.split.test]
        parts = []
        for name, own, states in zip(data.machines, labels, own_state, strict=True):
            windows = tested[tested[EQUIPMENT] == name]
            if len(windows):
                sensors = data.machines[name].topology.sensors
                rate_hz = max(sensor.rate_hz for _, sensor in sensors)
                runs = _runs(windows, data.window.window_s, own, states, rate_hz)
                parts.append(runs if judged else runs._replace(state=np.ones_like(runs.state)))
        return cls(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _runs(
    windows: pd.DataFrame,
    window_s: float,
    labels: pd.DataFrame,
    state: NDArray[np.float32],
    rate_hz: float,
) -> RowRuns:
    """Return the rows of one machine's tested windows, which are in order of time.

    Time is cut where windows and labels begin and end.
    """
    start_us = microseconds(windows["start"])
    end_us = start_us + round(window_s * 1e6)
    begin_us = np.maximum(start_us, np.concatenate([start_us[:1], end_us[:-1]]))
    order = np.argsort(microseconds(labels["start"]), kind="stable")
    since_us, until_us = (microseconds(labels[each])[order] for each in ("start", "end"))
    cuts = np.unique(np.concatenate([begin_us, end_us, since_us, until_us]))
    lower, upper = cuts[:-1], cuts[1:]
    of_window = np.searchsorted(begin_us, lower, side="right") - 1
    inside = (of_window >= 0) & (lower < end_us[of_window])
    lower, upper, of_window = lower[inside], upper[inside], of_window[inside]
    of_label = np.searchsorted(since_us, lower, side="right") - 1
    known = of_label >= 0
    known[known] = lower[known] < until_us[of_label[known]]
    truth = np.full(len(lower), np.nan, dtype=np.float32)
    truth[known] = state[order][of_label[known]]
    # Rows are at whole multiples of the sampling interval from their window's start.
    first, last = (
        np.ceil((edge - start_us[of_window]) * rate_hz / 1e6 - 1e-6) for edge in (lower, upper)
    )
    return RowRuns(windows.index.to_numpy()[of_window], truth, last - first)


def row_metrics(rows: RowRuns, windows: WindowNumbers, scores: Array) -> dict[str, Any]:
    """Return the metrics by row of one detector, whose threshold is 1.

    Args:
        rows: The rows of all test windows.
        windows: Tested windows, ascending, [R].
        scores: Their scores, [R]; NaN: not scored.

    Returns:
        `healthy`, `unhealthy`: the number of such rows that are scored. `not_scored`: of rows whose
        window has no score. `overall`: the `SHARES` of `detection_metrics`, and `auroc`; None if
        there is nothing to compute it from.
    """
    score = scores[np.searchsorted(windows, rows.window)]
    either = ~np.isnan(rows.state)
    scored = either & ~np.isnan(score)
    outcomes, unhealthy = _outcomes(rows, score), rows.state == 0
    values = {name: value[0] for name, value in shares(outcomes.sum(0, keepdims=True)).items()}
    overall = {name: None if np.isnan(value) else float(value) for name, value in values.items()}
    count = {state: int(rows.size[scored & (rows.state == state)].sum()) for state in (1, 0)}
    used = scored & (rows.size > 0)
    overall["auroc"] = (
        float(roc_auc_score(unhealthy[used], score[used], sample_weight=rows.size[used]))
        if min(count.values())
        else None
    )
    return {
        "healthy": count[1],
        "unhealthy": count[0],
        "not_scored": int(rows.size[either & ~scored].sum()),
        "overall": overall,
    }


def row_intervals(
    rows: RowRuns, windows: WindowNumbers, scores: Array, bootstrap: Bootstrap
) -> Mapping[str, Any]:
    """Return the intervals of `overall` of `row_metrics`; rows are drawn with their windows."""
    score = scores[np.searchsorted(windows, rows.window)]
    drawn = bootstrap.of_sums(_outcomes(rows, score), rows.window, shares)
    found = {name: bootstrap.interval(values) for name, values in drawn.items()}
    used = ~np.isnan(rows.state) & ~np.isnan(score)
    present, count = rows.state[used] == 0, rows.size[used]

    def area(weights: Array) -> Array:
        return auroc(score[used], present, weights * count)

    found["auroc"] = bootstrap.interval(bootstrap.of_rows(rows.window[used], area))
    return found


def _outcomes(rows: RowRuns, score: Array) -> Array:
    """Return the rows detected, missed, false alarms, healthy without alarm, [K, 4]."""
    alarm, quiet = score > 1.0, score <= 1.0  # neither without a score
    unhealthy, healthy = rows.state == 0, rows.state == 1
    each = (unhealthy & alarm, unhealthy & quiet, healthy & alarm, healthy & quiet)
    return np.stack(each, axis=1) * rows.size[:, None]
