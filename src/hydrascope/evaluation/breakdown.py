"""Test metrics with intervals, for each head, each kind of machine and each outcome."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.bootstrap import Array, Bootstrap, average_precision
from hydrascope.evaluation.own_metrics import weighted_metrics
from hydrascope.evaluation.predictions import LocatedPredictions, complete
from hydrascope.evaluation.sums import (
    metrics_of,
    outcome_metrics,
    outcome_names,
    outcome_rows,
    row_sums,
)
from hydrascope.schemas.calibration import flag_thresholds
from hydrascope.schemas.task import HeadKind, HeadSpec

Judged = dict[str, dict[str, Any]]
"""Metric name → its `value` and `interval` ([low, high], or null if there is none)."""


def of_heads(
    heads: Sequence[HeadSpec],
    predictions: Mapping[str, LocatedPredictions],
    bootstrap: Bootstrap,
    thresholds: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Judged]:
    """Return the metrics of each head that has labelled rows.

    Args:
        heads: The task's heads.
        predictions: Each head's answers on the test windows.
        bootstrap: The draws for the intervals.
        thresholds: Flag thresholds that differ from 0.5 (`schemas.calibration`).
    """
    judged = {
        head.name: _judge(
            head, predictions[head.name], bootstrap, flag_thresholds(head, thresholds)
        )
        for head in heads
    }
    return {name: metrics for name, metrics in judged.items() if metrics}


def of_kinds(
    heads: Sequence[HeadSpec],
    predictions: Mapping[str, LocatedPredictions],
    bootstrap: Bootstrap,
    kinds: NDArray[np.str_],
    thresholds: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, dict[str, Judged]]:
    """Return the metrics of `of_heads` for each kind of machine separately.

    Args:
        heads: The task's heads.
        predictions: Each head's answers on the test windows.
        bootstrap: The draws, shared by all kinds so that they can be compared.
        kinds: [W] the kind of each window of the window table, from `machine_kinds`.
        thresholds: As in `of_heads`.
    """
    found = {}
    for kind in np.unique(kinds[np.isin(bootstrap.units, bootstrap.among)]):
        rows_of_kind = {
            name: rows.where(torch.from_numpy(kinds == kind)[rows.window])
            for name, rows in predictions.items()
        }
        if judged := of_heads(heads, rows_of_kind, bootstrap, thresholds):
            found[str(kind)] = judged
    return found


def of_outcomes(
    head: HeadSpec,
    rows: LocatedPredictions,
    bootstrap: Bootstrap,
    thresholds: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Judged]:
    """Return precision, recall, F1 and average precision of each class or label of a head."""
    rows, limits = complete(rows), flag_thresholds(head, thresholds)
    return {
        name: _judge_outcome(head, rows, bootstrap, number, limits)
        for number, name in enumerate(outcome_names(head))
    }


def machine_kinds(data: HydraulicDataModule) -> NDArray[np.str_]:
    """Return the build of the machine of each window of the window table, [W]."""
    builds = {name: machine.topology.id for name, machine in data.machines.items()}
    return data.table["equipment_id"].map(builds).to_numpy(dtype=str)


def _judge(
    head: HeadSpec, rows: LocatedPredictions, bootstrap: Bootstrap, limits: Sequence[float]
) -> Judged:
    rows = complete(rows)
    fewest = 2 if head.kind is HeadKind.REGRESSION else 1
    if len(rows.target) < fewest:
        return {}
    return with_intervals(*metric_draws(head, rows, bootstrap, limits), bootstrap)


def _judge_outcome(
    head: HeadSpec,
    rows: LocatedPredictions,
    bootstrap: Bootstrap,
    number: int,
    limits: Sequence[float],
) -> Judged:
    windows, sums = rows.window.numpy(), row_sums(head, rows, limits)
    score, present = outcome_rows(head, rows, number)
    area = partial(average_precision, score, present)
    point = outcome_metrics(head, sums.sum(0), number)
    point["average_precision"] = area(np.ones((1, len(windows))))[0]
    if len(np.unique(bootstrap.place(windows[present]))) < 2:
        # The outcome occurs in one unit only, so that the draws cannot vary it.
        return with_intervals(point, dict.fromkeys(point, np.full(1, np.nan)), bootstrap)
    in_draws = bootstrap.of_sums(sums, windows, lambda drawn: outcome_metrics(head, drawn, number))
    in_draws["average_precision"] = bootstrap.of_rows(windows, area)
    return with_intervals(point, in_draws, bootstrap)


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


def with_intervals(
    point: Mapping[str, Array], in_draws: Mapping[str, Array], bootstrap: Bootstrap
) -> Judged:
    """Return metrics with their intervals, from their values in each draw, [B]."""
    return {
        name: {
            "value": float(value) if np.isfinite(value) else None,
            "interval": bootstrap.interval(in_draws[name]),
        }
        for name, value in point.items()
    }
