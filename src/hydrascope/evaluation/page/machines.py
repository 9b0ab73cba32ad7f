"""Machines as the page draws them: the topology with the health of its components."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.recorded_window import recorded_window
from hydrascope.evaluation.predictions import LocatedPredictions
from hydrascope.evaluation.reliability_report import is_reliable
from hydrascope.schemas.task import HEALTH, HeadKind, HeadLevel, HeadSpec
from hydrascope.telemetry.time_words import words_of


def component_health(
    heads: Sequence[HeadSpec],
    predictions: Mapping[str, LocatedPredictions],
    least_right: Mapping[str, float],
) -> pd.Series:
    """Return the lowest health in any reliable answer, indexed by window and component.

    A head's health is the probability of its healthy class, or the value of a regression of the
    label `health`. NaN: no answer is reliable.

    Args:
        heads: The answered heads.
        predictions: Their answers.
        least_right: The probability of being right from which an answer is reliable, by head.
    """
    parts = []
    for head in (head for head in heads if head.level is HeadLevel.COMPONENT):
        rows = predictions[head.name]
        values = [each.value for each in head.classes]
        if head.kind is HeadKind.REGRESSION and head.columns == (HEALTH,):
            health = rows.prediction[:, head.median].clamp(0.0, 1.0)
        elif head.healthy is None:
            continue
        elif head.kind is HeadKind.BINARY:
            p = rows.prediction[:, 0]
            health = p if head.healthy == 1 else 1.0 - p
        else:
            health = rows.prediction[:, values.index(head.healthy)]
        if rows.right is not None:
            health = health.where(is_reliable(rows.right, least_right[head.name]), math.nan)
        columns = {"window": rows.window, "component": rows.component, "health": health}
        parts.append(pd.DataFrame({name: each.numpy() for name, each in columns.items()}))
    if not parts:
        return pd.Series(dtype=float)
    return pd.concat(parts).groupby(["window", "component"])["health"].min()


def least_healthy_windows(health: pd.Series, data: HydraulicDataModule) -> dict[str, int]:
    """Return for each build of machine the window with the lowest mean predicted health."""
    found: dict[str, int] = {}
    if health.empty:
        return found
    for window in health.groupby("window").mean().sort_values(kind="stable").index:
        equipment_id = data.table["equipment_id"].iloc[window]
        found.setdefault(data.machines[equipment_id].topology.id, int(window))
    return found


def drawn_machine(window: int, health: pd.Series, data: HydraulicDataModule) -> dict[str, Any]:
    """Return what the page needs to draw a machine in one window.

    `name` and `start` are for people. `drawing` is read by the script that draws: the topology, the
    health by component ID (None: no answer is reliable), and the sensors that brought nothing.
    """
    row = data.table.iloc[window]
    machine = data.machines[row["equipment_id"]]
    start = row["start"].to_pydatetime()
    signals = recorded_window(data.source, row["equipment_id"], start, data.window.window_s)
    seen = {name for name, each in signals.items() if np.isfinite(each.values).any()}
    ids = [component.id for component in machine.topology.components]
    judged = health.loc[window].to_dict()
    return {
        "name": machine.equipment.name,
        "start": words_of(data.source).instant(row["start"]),
        "drawing": {
            "topology": machine.topology.model_dump(mode="json"),
            "health": {
                ids[place]: None if math.isnan(value) else value for place, value in judged.items()
            },
            "missing": [
                sensor.id for _, sensor in machine.topology.sensors if sensor.id not in seen
            ],
        },
    }
