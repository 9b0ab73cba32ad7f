"""The number of independent held-out windows of normality, by their place in time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.data.cross_parts import HeldOutPart
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.windows import EQUIPMENT, microseconds, nearest


class Near(NamedTuple):
    """Which windows are near windows that were learned from, [R] each."""

    sharing: NDArray[np.bool_]
    """They share samples with one."""
    adjoining: NDArray[np.bool_]
    """They share none, but no further window lies between them and one."""


def near_training(data: HydraulicDataModule, part: HeldOutPart) -> Near:
    """Return which held-out windows are near windows that were learned from without them."""
    start_us = microseconds(data.table["start"])
    machine = data.table[EQUIPMENT].to_numpy()
    rows, train = part
    apart_us = np.full(len(rows), np.iinfo(np.int64).max)
    for name in np.unique(machine[rows]):
        own = np.flatnonzero(machine[rows] == name)
        learned = start_us[train[machine[train] == name]]
        if len(learned):
            apart_us[own] = nearest(start_us[rows[own]], learned)
    window_us, stride_us = (round(s * 1e6) for s in (data.window.window_s, data.window.stride_s))
    sharing = apart_us < window_us
    return Near(sharing, ~sharing & (apart_us < window_us + stride_us))


def independent_units(data: HydraulicDataModule, parts: Sequence[HeldOutPart]) -> int:
    """Return the number of independent observations among held-out windows.

    Windows that share samples with windows that were learned from do not count. Of windows that
    share samples with each other, as many count as share none. Otherwise the units of the split
    count.
    """
    rows = np.concatenate([part.rows[~near_training(data, part).sharing] for part in parts])
    if data.unit != "windows":
        return len(np.unique(data.units[rows]))
    window_us, count = round(data.window.window_s * 1e6), 0
    chosen = data.table.iloc[rows]
    for _, own in chosen.groupby(EQUIPMENT, sort=False):
        free_us = None
        for start_us in np.sort(microseconds(own["start"])):
            if free_us is None or start_us >= free_us:
                count, free_us = count + 1, start_us + window_us
    return count
