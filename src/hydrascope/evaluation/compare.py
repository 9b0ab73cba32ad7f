"""A paired comparison of two evaluations, on the windows that both share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.evaluation.breakdown import metric_draws
from hydrascope.evaluation.predictions import LocatedPredictions, complete
from hydrascope.schemas.calibration import flag_thresholds
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.json_file import load_json
from hydrascope.schemas.task import HeadSpec

EVALUATION, PREDICTIONS = "evaluation.json", "predictions.parquet"
_KEYS = ["head", "equipment_id", "start", "component"]


def prediction_table(
    heads: Sequence[HeadSpec],
    predictions: Mapping[str, LocatedPredictions],
    data: HydraulicDataModule,
) -> pd.DataFrame:
    """Return a row for each labelled answer.

    Columns: `head`; `equipment_id` and `start` of the window; `component`, its position among the
    machine's components, −1 at machine level; `target` and `answer`, both lists, with a class as
    its number; `right`, the estimated probability that the answer is right, if the diagnoser judges
    its input.
    """
    parts = []
    for head in heads:
        rows = predictions[head.name]
        about = data.table.iloc[rows.window.numpy()][["equipment_id", "start"]]
        part = about.reset_index(drop=True)
        part.insert(0, "head", head.name)
        part["component"] = rows.component.numpy()
        part["target"] = rows.target.tolist()
        part["answer"] = rows.prediction.tolist()
        if rows.right is not None:
            part["right"] = rows.right.double().numpy()
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


class Answers(NamedTuple):
    """The answers of a diagnoser to some windows."""

    heads: Sequence[HeadSpec]
    predictions: Mapping[str, LocatedPredictions]
    thresholds: Mapping[str, float]
    data: HydraulicDataModule


def compared(
    this: Answers, other: pd.DataFrame, thresholds: Mapping[str, float], bootstrap: Bootstrap
) -> dict[str, dict[str, Any]]:
    """Compare with the `prediction_table` of another diagnoser, as `OtherRun.compared`.

    Args:
        this: The one diagnoser.
        other: Of the other one.
        thresholds: Flag thresholds of the other one.
        bootstrap: The draws.

    Returns:
        Only the heads of which both have rows.
    """
    table = prediction_table(this.heads, this.predictions, this.data)
    table["row"] = table.groupby("head").cumcount()
    both = table.merge(other, on=_KEYS, suffixes=("", "_other"), validate="1:1")
    found = {}
    for head in this.heads:
        rows = both[both["head"] == head.name].sort_values("row")
        rows = rows[rows["answer_other"].map(len) == rows["answer"].map(len)]
        if rows.empty:
            continue
        shared = this.predictions[head.name].where(torch.tensor(rows["row"].to_numpy(copy=True)))
        other_answers = np.array(rows["answer_other"].tolist())
        answered = replace(shared, prediction=torch.tensor(other_answers, dtype=torch.float32))
        found[head.name] = _paired(
            head,
            complete(shared),
            complete(answered),
            bootstrap,
            this.thresholds,
            thresholds,
        )
    return found


class OtherRun:
    """The stored results of another evaluation.

    Args:
        path: Its folder, or its evaluation.json.

    Raises:
        SpecError: There is no evaluation, or its predictions are missing or damaged.
    """

    def __init__(self, path: str) -> None:
        given = Path(path)
        folder = given.parent if given.name == EVALUATION else given
        for name in (EVALUATION, PREDICTIONS):
            if not (folder / name).is_file():
                raise SpecError(
                    f"compare: {path!r} holds no {name}; accepted: the folder of an evaluation, or "
                    f"its {EVALUATION}"
                )
        self.name = str(folder)
        report = load_json(folder / EVALUATION)
        self.thresholds: dict[str, float] = report.get("thresholds", {})
        try:
            self._table = pd.read_parquet(folder / PREDICTIONS)
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise SpecError(
                f"{folder / PREDICTIONS}: damaged ({reason}); run evaluate.py again"
            ) from None

    def compared(
        self,
        heads: Sequence[HeadSpec],
        predictions: Mapping[str, LocatedPredictions],
        thresholds: Mapping[str, float],
        data: HydraulicDataModule,
        bootstrap: Bootstrap,
    ) -> dict[str, dict[str, Any]]:
        """Return for each head and metric: `this`, `other`, their `difference`, its `interval`.

        Both values cover the rows that both evaluations have, counted as `rows`. Each draw
        resamples both in the same way.

        Raises:
            SpecError: The evaluations share no row.
        """
        this = Answers(heads, predictions, thresholds, data)
        found = compared(this, self._table, self.thresholds, bootstrap)
        if not found:
            raise SpecError(
                f"compare: {self.name!r} was tested on none of these windows; accepted: an "
                "evaluation of a task with a head in common, on the same fold"
            )
        return found


def _paired(
    head: HeadSpec,
    this: LocatedPredictions,
    other: LocatedPredictions,
    bootstrap: Bootstrap,
    *thresholds: Mapping[str, float],
) -> dict[str, Any]:
    point, drawn = [], []
    for rows, chosen in zip((this, other), thresholds, strict=True):
        of_run = metric_draws(head, rows, bootstrap, flag_thresholds(head, chosen))
        point.append(of_run[0])
        drawn.append(of_run[1])
    return {
        "rows": len(this.target),
        "metrics": {
            name: {
                "this": float(point[0][name]),
                "other": float(point[1][name]),
                "difference": float(point[0][name] - point[1][name]),
                "interval": bootstrap.interval(drawn[0][name] - drawn[1][name]),
            }
            for name in point[0]
        },
    }
