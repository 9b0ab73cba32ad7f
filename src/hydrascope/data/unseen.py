"""Which windows a model has not learned from, by the times that it has."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.split_spec import Split, SplitSpec
from hydrascope.data.windows import EQUIPMENT, WindowNumbers, microseconds

Times = Mapping[str, Sequence[Sequence[int]]]
"""Machine → the (start, end) in µs since 1970 of each time that was learned from, in order."""


def learned_times(table: pd.DataFrame, split: Split, window_s: float) -> dict[str, list[list[int]]]:
    """Return the times of the training and validation windows, which decide a model.

    Args:
        table: Window table.
        split: Its parts.
        window_s: Length of a window.
    """
    rows = np.sort(np.concatenate([split.train, split.val]))
    start_us, window_us = microseconds(table["start"].iloc[rows]), round(window_s * 1e6)
    machine = table[EQUIPMENT].to_numpy()[rows]
    return {
        str(name): _joined(np.sort(start_us[machine == name]), window_us)
        for name in np.unique(machine)
    }


def unseen_windows(
    table: pd.DataFrame, split: Split, spec: SplitSpec, learned: Times
) -> WindowNumbers:
    """Return the test windows from which another model has not learned either.

    A test window is left out if it is less than a window's length from a time that was learned
    from. Where the split keeps conditions or machines together, all windows of a condition or
    machine that the other model has learned from are left out instead.

    Args:
        table: Window table.
        split: Its parts.
        spec: How they were made, with the length of a window.
        learned: Times that the other model has learned from.
    """
    window_us = round(spec.window_s * 1e6)
    group = {"unseen_conditions": spec.group, "by_machine": EQUIPMENT}.get(spec.name)
    if group is None:
        return split.test[~_near(table, learned, window_us, window_us)[split.test]]
    seen = _near(table, learned, window_us, 0)
    of_seen = table[group].isin(table[group][seen].dropna().unique()).to_numpy()
    return split.test[~(of_seen | seen)[split.test]]


def _joined(start_us: NDArray[np.int64], window_us: int) -> list[list[int]]:
    """Return the times that windows cover together."""
    breaks = np.flatnonzero(np.diff(start_us) > window_us) + 1
    return [[int(part[0]), int(part[-1]) + window_us] for part in np.split(start_us, breaks)]


def _near(table: pd.DataFrame, learned: Times, window_us: int, apart_us: int) -> NDArray[np.bool_]:
    """Return which windows overlap a learned time, or are less than `apart_us` from it, [rows]."""
    found = np.zeros(len(table), dtype=bool)
    machine, start_us = table[EQUIPMENT].to_numpy(), microseconds(table["start"])
    for name, times in learned.items():
        own = np.flatnonzero(machine == name)
        begins, ends = np.array(times, dtype=np.int64).T
        # The first learned time that ends after the window's start, less the distance.
        after = np.searchsorted(ends, start_us[own] - apart_us, side="right")
        begins = np.append(begins, np.iinfo(np.int64).max)
        found[own] = begins[after] < start_us[own] + window_us + apart_us
    return found
