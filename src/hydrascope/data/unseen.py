"""Which windows a model has not learned from, by the times that it has."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.windows import EQUIPMENT, WindowNumbers, microseconds

Times = Mapping[str, Sequence[Sequence[int]]]
"""Machine → the (start, end) in µs since 1970 of each time that was learned from, in order."""


def learned_times(data: HydraulicDataModule) -> dict[str, list[list[int]]]:
    """Return the times of the training and validation windows, which decide a model."""
    rows = np.sort(np.concatenate([data.split.train, data.split.val]))
    table = data.table.iloc[rows]
    start_us, window_us = microseconds(table["start"]), round(data.window.window_s * 1e6)
    machine = table[EQUIPMENT].to_numpy()
    return {
        str(name): _joined(np.sort(start_us[machine == name]), window_us)
        for name in np.unique(machine)
    }


def unseen_windows(data: HydraulicDataModule, learned: Times) -> WindowNumbers:
    """Return the test windows from which another model has not learned either.

    A test window is left out if it is less than a window's length from a time that was learned
    from. Where the split keeps conditions or machines together, all windows of a condition or
    machine that the other model has learned from are left out.

    Args:
        data: Planned data; its own model has not learned from its test windows.
        learned: Times that the other model has learned from.
    """
    window_us = round(data.window.window_s * 1e6)
    spec, test = data.split_spec, data.split.test
    seen = _overlapping(data, learned, 0)
    group = {"unseen_conditions": spec.group, "by_machine": EQUIPMENT}.get(spec.name)
    if group is None:
        return test[~_overlapping(data, learned, window_us)[test]]
    groups = data.table[group]
    known = groups.isin(groups[seen].dropna().unique()).to_numpy()
    return test[~(known | seen)[test]]


def _joined(start_us: NDArray[np.int64], window_us: int) -> list[list[int]]:
    """Return the times that windows cover together."""
    breaks = np.flatnonzero(np.diff(start_us) > window_us) + 1
    return [[int(part[0]), int(part[-1]) + window_us] for part in np.split(start_us, breaks)]


def _overlapping(data: HydraulicDataModule, learned: Times, apart_us: int) -> NDArray[np.bool_]:
    """Return which windows overlap a learned time, or are less than `apart_us` from it, [rows]."""
    found = np.zeros(len(data.table), dtype=bool)
    machine = data.table[EQUIPMENT].to_numpy()
    start_us = microseconds(data.table["start"])
    window_us = round(data.window.window_s * 1e6)
    for name, times in learned.items():
        own = np.flatnonzero(machine == name)
        begins, ends = np.array(times, dtype=np.int64).T
        # The first learned time that ends after the window's start, less the distance.
        after = np.searchsorted(ends, start_us[own] - apart_us, side="right")
        begins = np.append(begins, np.iinfo(np.int64).max)
        found[own] = begins[after] < start_us[own] + window_us + apart_us
    return found
