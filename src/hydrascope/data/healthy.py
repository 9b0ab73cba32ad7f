"""Healthy windows by their labels, and the windows that normality learns from."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.split_spec import Split, SplitSpec
from hydrascope.data.splits import make_split
from hydrascope.data.windows import EQUIPMENT, microseconds
from hydrascope.schemas.errors import SpecError, closest
from hydrascope.schemas.normality import NormalityFit
from hydrascope.schemas.task import HeadLevel, TaskSpec
from hydrascope.telemetry.times import as_microseconds

_KEY = "task.normality"


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


def true_labels(task: TaskSpec, table: pd.DataFrame) -> tuple[Mapping[str, object], str]:
    """Return the labels of a healthy window by which detection is judged, and the key they are of.

    They have the form of `healthy_labels`.
    """
    if task.normality is not None and task.normality.truth is not None:
        return task.normality.truth, f"{_KEY}.truth"
    return healthy_labels(task, table), f"{_KEY}.healthy"


def healthy_windows(
    table: pd.DataFrame, healthy: Mapping[str, object], path: str = f"{_KEY}.healthy"
) -> NDArray[np.float32]:
    """Return the state of each window: 1 healthy, 0 unhealthy, NaN unknown.

    A window is healthy if every label has one of its healthy values, and unhealthy if any label has
    another value, even if others are missing. If `healthy` is empty, all windows are healthy.

    Args:
        table: Window table.
        healthy: Label column → its value or values in a healthy window.
        path: The key that gives `healthy`.

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
                path=path,
            )
        values = accepted if isinstance(accepted, tuple | list) else (accepted,)
        missing = table[name].isna().to_numpy()
        unknown |= missing
        unhealthy |= ~missing & ~table[name].isin(list(values)).to_numpy()
    state = np.where(unhealthy, 0.0, np.where(unknown, np.nan, 1.0)).astype(np.float32)
    if not (state == 1).any():
        raise SpecError(f"none of {len(table)} windows is healthy by {dict(healthy)}", path=path)
    return state


def learned_windows(
    task: TaskSpec, table: pd.DataFrame, window_s: float, *, none: bool = False
) -> NDArray[np.bool_]:
    """Return which windows normality learns from, [rows]; with `none`, nothing is learned.

    Raises:
        SpecError: There is no such label column, a machine has fewer windows than `first_windows`,
            or no window is chosen.
    """
    assert task.normality is not None
    if none:
        return np.zeros(len(table), dtype=bool)
    if (fit := task.normality.fit) is None:
        return np.equal(healthy_windows(table, healthy_labels(task, table)), 1)
    path = f"{_KEY}.fit"
    chosen = _between(table, fit, window_s, path)
    if fit.healthy is not None:
        chosen &= healthy_windows(table, fit.healthy, f"{path}.healthy") == 1
    if fit.first_windows is not None:
        chosen &= _first(table, fit.first_windows, f"{path}.first_windows")
    if fit.first_share is not None:
        chosen &= _in_time(table).rank("first", pct=True).to_numpy() <= fit.first_share
    if not chosen.any():
        given = ", ".join(fit.model_dump(exclude_none=True))
        raise SpecError(f"no window meets all conditions at once: {given}", path=path)
    return chosen


def _between(
    table: pd.DataFrame, fit: NormalityFit, window_s: float, path: str
) -> NDArray[np.bool_]:
    """Return which windows are between start and end, [rows]; raises if none is."""
    start_us = microseconds(table["start"])
    chosen = np.ones(len(table), dtype=bool)
    if fit.start is not None:
        chosen &= start_us >= as_microseconds(fit.start)
    if fit.end is not None:
        chosen &= start_us + round(window_s * 1e6) <= as_microseconds(fit.end)
    if not chosen.any():
        first, last = table["start"].min(), table["start"].max() + pd.Timedelta(window_s, "s")
        raise SpecError(
            f"no window is between start and end; the windows are between {first.isoformat()} and "
            f"{last.isoformat()}",
            path=path,
        )
    return chosen


def _first(table: pd.DataFrame, count: int, path: str) -> NDArray[np.bool_]:
    """Return which windows are among the first of their machine, [rows]; raises if it has fewer."""
    machines = _in_time(table)
    sizes = machines.size()
    if (fewest := int(sizes.min())) < count:
        raise SpecError(
            f"{count} is more than the {fewest} windows of {sizes.idxmin()!r}; accepted: 1 to "
            f"{fewest}",
            path=path,
        )
    among_first: NDArray[np.bool_] = (machines.rank("first") <= count).to_numpy()
    return among_first


def _in_time(table: pd.DataFrame) -> Any:
    """Return the starts of the windows, grouped by machine."""
    return pd.Series(microseconds(table["start"])).groupby(table[EQUIPMENT].to_numpy())


def machines_apart(task: TaskSpec, machines: Iterable[str]) -> tuple[str, ...]:
    """Return the machines that have thresholds of their own."""
    apart = task.normality is not None and task.normality.threshold_by == "machine"
    return tuple(machines) if apart else ()


def split_learned(
    table: pd.DataFrame,
    learned: NDArray[np.bool_],
    state: NDArray[np.float32],
    spec: SplitSpec,
) -> Split:
    """Split the windows to learn from; test on all others too, if their state is known.

    Parts that are named (`column`) stay as they are, without the windows of training and validation
    that are not learned from.

    Args:
        table: Window table.
        learned: Whether a window may be learned from, [rows].
        state: The true state of each window, [rows]; NaN: unknown, so that it is not tested.
        spec: The split of the windows to learn from.

    Raises:
        SpecError: These windows do not allow such a split, or a part is empty.
    """
    rows, others = np.flatnonzero(learned), np.flatnonzero(~learned)
    if spec.name == "column":
        named = make_split(table, spec)
        train, val, test = (np.intersect1d(part, rows) for part in named)
        others = np.intersect1d(named.test, others)
    else:
        split = make_split(table.iloc[rows].reset_index(drop=True), spec)
        train, val, test = (rows[part] for part in split)
    if not (len(train) and len(val)):
        raise SpecError(
            f"{len(rows)} windows to learn from leave {len(train)} to train on and "
            f"{len(val)} to set the threshold on; accepted: one or more of each (shorter "
            "data.window.stride_s, larger data.split.val_fraction)",
            path="data.split",
        )
    tested = np.sort(np.concatenate([test, others]))
    return Split(train, val, tested[~np.isnan(state[tested])])
