"""Test metrics with their intervals: of each head, each kind of machine and each label."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.bootstrap import Array, Bootstrap, average_precision
from hydrascope.evaluation.predictions import LocatedPredictions
from hydrascope.evaluation.sums import label_metrics, metrics_of, row_sums
from hydrascope.schemas.task import HeadKind, HeadSpec

Judged = dict[str, dict[str, Any]]
"""A metric's name → its `value` and `interval` ([low, high], or null where there is none)."""


def of_heads(
    heads: Sequence[HeadSpec],
    predictions: Mapping[str, LocatedPredictions],
    bootstrap: Bootstrap,
) -> dict[str, Judged]:
    """Return the metrics of each head that has labelled rows."""
    judged = {head.name: _judge(head, predictions[head.name], bootstrap) for head in heads}
    return {name: metrics for name, metrics in judged.items() if metrics}


def of_kinds(
    heads: Sequence[HeadSpec],
    predictions: Mapping[str, LocatedPredictions],
    bootstrap: Bootstrap,
    kinds: NDArray[np.str_],
) -> dict[str, dict[str, Judged]]:
    """Return the same for each kind of machine by itself.

    Args:
        heads: Of the task.
        predictions: Of test windows.
        bootstrap: Whose draws are shared, so that kinds can be compared.
        kinds: [W] of each window of the window table, as `machine_kinds` gives them.
    """
    found = {}
    for kind in np.unique(kinds[np.isin(bootstrap.units, bootstrap.among)]):
        mine = {name: _where(rows, kinds == kind) for name, rows in predictions.items()}
        if judged := of_heads(heads, mine, bootstrap):
            found[str(kind)] = judged
    return found


def of_labels(head: HeadSpec, rows: LocatedPredictions, bootstrap: Bootstrap) -> dict[str, Judged]:
    """Return precision, recall, F1 and average precision of each label of a multi-label head."""
    rows = complete(rows)
    return {
        label: _judge_label(head, rows, bootstrap, number)
        for number, label in enumerate(head.labels)
    }


def machine_kinds(data: HydraulicDataModule) -> NDArray[np.str_]:
    """Return the build of the machine of each window of the window table, [W]."""
    builds = {name: machine.topology.id for name, machine in data.machines.items()}
    return data.table["equipment_id"].map(builds).to_numpy(dtype=str)


def complete(rows: LocatedPredictions) -> LocatedPredictions:
    """Return the rows that have all their labels."""
    return _kept(rows, ~rows.target.isnan().any(dim=1))


def _judge(head: HeadSpec, rows: LocatedPredictions, bootstrap: Bootstrap) -> Judged:
    rows = complete(rows)
    windows, sums = rows.window.numpy(), row_sums(head, rows)
    fewest = 2 if head.kind is HeadKind.REGRESSION else 1
    if len(windows) < fewest:
        return {}
    in_draws = bootstrap.of_sums(sums, windows, lambda drawn: metrics_of(head, drawn))
    return _judged(metrics_of(head, sums.sum(0)), in_draws, bootstrap)


def _judge_label(
    head: HeadSpec, rows: LocatedPredictions, bootstrap: Bootstrap, number: int
) -> Judged:
    windows, sums = rows.window.numpy(), row_sums(head, rows)
    score = rows.prediction[:, number].double().numpy()
    present = rows.target[:, number].numpy() == 1

    area = partial(average_precision, score, present)
    name = head.labels[number]
    in_draws = bootstrap.of_sums(sums, windows, lambda drawn: label_metrics(head, drawn)[name])
    in_draws["average_precision"] = bootstrap.of_rows(windows, area)
    point = label_metrics(head, sums.sum(0))[name]
    point["average_precision"] = area(np.ones((1, len(windows))))[0]
    return _judged(point, in_draws, bootstrap)


def _judged(
    point: Mapping[str, Array], in_draws: Mapping[str, Array], bootstrap: Bootstrap
) -> Judged:
    return {
        name: {
            "value": float(value) if np.isfinite(value) else None,
            "interval": bootstrap.interval(in_draws[name]),
        }
        for name, value in point.items()
    }


def _where(rows: LocatedPredictions, chosen: NDArray[np.bool_]) -> LocatedPredictions:
    """Return the rows of the chosen windows."""
    mine = torch.from_numpy(chosen)[rows.window]
    return _kept(rows, mine)


def _kept(rows: LocatedPredictions, mine: Tensor) -> LocatedPredictions:
    return LocatedPredictions(
        rows.prediction[mine], rows.target[mine], rows.window[mine], rows.component[mine]
    )
