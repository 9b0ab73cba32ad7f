"""Test metrics of a model and its baselines, as JSON and as tables."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
from rich.markup import escape
from rich.table import Table

from hydrascope.data.label_counts import CLASS, HEAD, LABEL
from hydrascope.evaluation.own_metrics import own_values
from hydrascope.evaluation.predictions import HeadPredictions
from hydrascope.schemas.calibration import flag_thresholds
from hydrascope.schemas.parts import PARTS
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.schemas.whole_file import write_whole
from hydrascope.tasks.metrics import PRIMARY_METRIC, HeadMetrics

Metrics = Mapping[str, float]


def head_metrics(
    heads: Sequence[HeadSpec],
    predictions: Mapping[str, HeadPredictions],
    thresholds: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, dict[str, float]]:
    """Return each head's test metrics and the number of rows that they cover.

    Args:
        heads: The task's heads.
        predictions: Head name → its rows.
        thresholds: Flag thresholds that differ from 0.5 (`schemas.calibration`).
    """
    results = {}
    for head in heads:
        metrics = HeadMetrics(head, flag_thresholds(head, thresholds))
        rows = predictions[head.name]
        metrics.update(rows.prediction, rows.target)
        computed = metrics.compute()
        own = own_values(head, rows) if computed else {}
        results[head.name] = {**computed, **own, "rows": len(rows.target)}
    return results


def comparison(
    heads: Sequence[HeadSpec], models: Mapping[str, Mapping[str, Metrics]]
) -> dict[str, Any]:
    """Return each head's primary metric for each model in `columns`, in order, and the best.

    `verdicts` says in words on which heads another model is ahead of the first, and which cannot be
    compared.
    """
    rows: list[dict[str, Any]] = []
    verdicts = undefined(heads, next(iter(models.values()), {}))
    for head in heads:
        metric = PRIMARY_METRIC[head.kind]
        values = [results.get(head.name, {}).get(metric) for results in models.values()]
        best = max((value for value in values if value is not None), default=None)
        rows.append({"head": head.name, "metric": metric, "values": values, "best": best})
        if values and values[0] is not None and best is not None:
            winner = list(models)[values.index(best)]
            verdicts += _verdict(winner, head.name, metric, best - values[0])
    return {"columns": list(models), "rows": rows, "verdicts": verdicts}


def undefined(heads: Sequence[HeadSpec], results: Mapping[str, Metrics]) -> list[str]:
    """Return a line for each regression without R², because all its test labels are one value.

    Args:
        heads: The task's heads.
        results: The metrics of each head.
    """
    return [
        f"head {head.name}: all test labels are one value, so R² is undefined; judge it by mae and "
        "rmse, or choose test windows whose labels differ"
        for head in heads
        if head.kind is HeadKind.REGRESSION
        and "mae" in (found := results.get(head.name, {}))
        and "r2" not in found
    ]


def _verdict(winner: str, head: str, metric: str, lead: float) -> list[str]:
    """Return the line about a model that is ahead; none if the table shows no difference."""
    share = metric != "r2"
    if round(lead, 4 if share else 3) <= 0:
        return []
    ahead = f"{100 * lead:.2f} points of {metric}" if share else f"{lead:.3f} of {metric}"
    return [f"{winner} is ahead on head {head} by {ahead}"]


def comparison_table(
    title: str,
    heads: Sequence[HeadSpec],
    models: Mapping[str, Mapping[str, Metrics]],
    remarks: Sequence[str] = (),
) -> Table:
    """Show each head's primary metric for each model; the best of a row is bold.

    Below it stand the heads on which another model is ahead of the first, and the remarks.
    """
    found = comparison(heads, models)
    below = "\n".join(map(escape, (*found["verdicts"], *remarks)))
    table = Table(title=title, title_justify="left", caption=below, caption_justify="left")
    # Long names are folded, not cut off.
    table.add_column("head", overflow="fold")
    table.add_column("metric")
    for model in models:
        table.add_column(model, justify="right", overflow="fold")
    for row in found["rows"]:
        metric, best = row["metric"], row["best"]
        cells = [
            _cell(value, metric, bold=value is not None and value == best)
            for value in row["values"]
        ]
        table.add_row(row["head"], metric, *cells)
    return table


def labels_table(counts: pd.DataFrame) -> Table:
    """Show the labelled windows of each part, over all components.

    Args:
        counts: The output of `data.label_counts.count_labels`.
    """
    summed = counts.groupby([HEAD, LABEL, CLASS], sort=False)[list(PARTS)].sum()
    table = Table(title="Labelled windows", title_justify="left")
    for name in (HEAD, LABEL, CLASS):
        table.add_column(name, overflow="fold")
    for name in PARTS:
        table.add_column(name, justify="right")
    for names, row in zip(summed.index, summed.to_numpy(), strict=True):
        table.add_row(*map(str, names), *(f"{windows:,}" if windows else "–" for windows in row))
    return table


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write results, sorted and indented, replacing the file atomically."""
    write_whole(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def _cell(value: float | None, metric: str, *, bold: bool) -> str:
    if value is None:
        return "–"
    text = f"{value:.3f}" if metric == "r2" else f"{100 * value:.2f} %"
    return f"[bold]{text}[/bold]" if bold else text
