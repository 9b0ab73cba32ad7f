"""Healthy windows: their selection by labels, and splits for learning from them alone."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.split_spec import Split, SplitSpec
from hydrascope.data.splits import make_split
from hydrascope.schemas.errors import SpecError, closest
from hydrascope.schemas.task import HeadLevel, TaskSpec

HEALTHY = "healthy"
"""The additional target of a batch, [G, 1]: 1 healthy, 0 unhealthy, NaN unknown."""


def healthy_labels(task: TaskSpec, table: pd.DataFrame) -> Mapping[str, object]:
    """Return the value or values of each label column in a healthy window; empty: all are healthy.

    They come from the task's normality or else from the heads with a healthy value. Columns are
    `<component>.<label>` for each component in the table, or else `<label>`.
    """
    if task.normality is not None and task.normality.healthy is not None:
        return task.normality.healthy
    labels: dict[str, object] = {}
    for head in task.heads:
        if head.healthy is None:
            continue
        (name,) = head.columns
        own = [
            column
            for column in map(str, table.columns)
            if head.level is HeadLevel.COMPONENT and column.endswith(f".{name}")
            if head.components is None or column.removesuffix(f".{name}") in head.components
        ]
        labels |= dict.fromkeys(own or [name], head.healthy)
    return labels


def healthy_windows(table: pd.DataFrame, healthy: Mapping[str, object]) -> NDArray[np.float32]:
    """Return the state of each window: 1 healthy, 0 unhealthy, NaN unknown.

    A window is healthy if every label has one of its healthy values, and unhealthy if any label has
    another value, even if others are missing. If `healthy` is empty, all windows are healthy.

    Raises:
        SpecError: There is no such label column, or no healthy window.
    """
    unknown = np.zeros(len(table), dtype=bool)
    unhealthy = np.zeros(len(table), dtype=bool)
    for name, accepted in healthy.items():
        if name not in table:
            labels = [str(column) for column in table.columns]
            raise SpecError(
                f"{name!r} is no label column; accepted: "
                f"{', '.join(labels)}{closest(name, labels)}",
                path="task.normality.healthy",
            )
        values = accepted if isinstance(accepted, tuple | list) else (accepted,)
        missing = table[name].isna().to_numpy()
        unknown |= missing
        unhealthy |= ~missing & ~table[name].isin(list(values)).to_numpy()
    state = np.where(unhealthy, 0.0, np.where(unknown, np.nan, 1.0)).astype(np.float32)
    if not (state == 1).any():
        raise SpecError(
            f"none of {len(table)} windows is healthy by {dict(healthy)}",
            path="task.normality.healthy",
        )
    return state


def healthy_target(state: NDArray[np.float32]) -> Tensor:
    """Return the states of one machine's windows as a target [W, 1, 1]."""
    return torch.from_numpy(state).reshape(-1, 1, 1)


def split_healthy(table: pd.DataFrame, state: NDArray[np.float32], spec: SplitSpec) -> Split:
    """Split the healthy windows; add all unhealthy ones to the test part and omit unknown ones.

    Parts that are named (`column`) stay as they are, without the unhealthy windows of training and
    validation.

    Raises:
        SpecError: The healthy windows do not allow such a split, or a part is empty.
    """
    rows = np.flatnonzero(state == 1)
    unhealthy = np.flatnonzero(state == 0)
    if spec.name == "column":
        named = make_split(table, spec)
        train, val, test = (np.intersect1d(part, rows) for part in named)
        unhealthy = np.intersect1d(named.test, unhealthy)
    else:
        split = make_split(table.iloc[rows].reset_index(drop=True), spec)
        train, val, test = (rows[part] for part in split)
    if not (len(train) and len(val)):
        raise SpecError(
            f"{len(rows)} healthy windows leave {len(train)} to train on and "
            f"{len(val)} to set the threshold on; accepted: one or more of each (shorter "
            "data.window.stride_s, larger data.split.val_fraction)",
            path="data.split",
        )
    return Split(train, val, np.sort(np.concatenate([test, unhealthy])))
