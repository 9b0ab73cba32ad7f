"""Where the windows of a machine lie in time, and which labels hold for them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import groupby

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.time import TimeWindow
from hydrascope.telemetry.source import TelemetrySource

WindowNumbers = NDArray[np.int64]
"""Numbers of windows: rows of the window table, of the dataset and of a split."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class WindowPlan:
    """All windows of one machine, numbered in order of time; takes memory by extent, not window.

    Attributes:
        extents: Stretches of telemetry that hold a window at least.
    """

    machine: Machine
    spec: WindowSpec
    extents: tuple[TimeWindow, ...]

    @property
    def equipment_id(self) -> str:
        """The machine's id."""
        return self.machine.equipment.equipment_id

    def __len__(self) -> int:
        return int(self._first[-1])

    @cached_property
    def _first(self) -> NDArray[np.int64]:
        """[extents + 1]: number of the first window of each extent."""
        return np.cumsum([0, *(self.spec.count(extent) for extent in self.extents)])

    def stretches(self, rows: range) -> Iterator[tuple[TimeWindow, NDArray[np.float64]]]:
        """Yield each extent that windows `rows` lie in, and their starts in s after its start."""
        holder = int(np.searchsorted(self._first, rows.start, side="right")) - 1
        for number in range(holder, len(self.extents)):
            first, stop = (int(row) for row in self._first[number : number + 2])
            if first >= rows.stop:
                return
            begin, end = max(first, rows.start) - first, min(stop, rows.stop) - first
            mine = np.arange(begin, end, dtype=np.float64)
            yield self.extents[number], mine * self.spec.stride_s

    def starts(self) -> pd.DatetimeIndex:
        """Return the start of every window."""
        instants_us = [
            microsecond(extent.start) + np.rint(starts_s * 1e6).astype(np.int64)
            for extent, starts_s in self.stretches(range(len(self)))
        ]
        utc = pd.DatetimeIndex(np.concatenate(instants_us).view("datetime64[us]"), tz="UTC")
        return utc.tz_convert(self.extents[0].start.tzinfo)


def plan_windows(source: TelemetrySource, machine: Machine, spec: WindowSpec) -> WindowPlan:
    """Find the windows of a machine without reading telemetry.

    Raises:
        SpecError: No stretch of the telemetry is as long as a window.
    """
    equipment_id = machine.equipment.equipment_id
    extents = tuple(extent for extent in source.extents(equipment_id) if spec.count(extent))
    if not extents:
        raise SpecError(
            f"no telemetry of {equipment_id} lasts {spec.window_s} s on end",
            path="data.window.window_s",
        )
    return WindowPlan(machine, spec, extents)


def window_table(plan: WindowPlan, labels: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each window: `equipment_id`, `start`, and the labels in force at its end.

    In force is the label row whose interval holds the window's last microsecond.
    """
    starts = plan.starts()
    labels = labels.sort_values("start", ignore_index=True)
    last = microseconds(starts.to_series()) + round(plan.spec.window_s * 1e6) - 1
    row = np.searchsorted(microseconds(labels["start"]), last, side="right") - 1
    inside = row >= 0
    inside[inside] = last[inside] < microseconds(labels["end"])[row[inside]]
    # Row −1 is in no label table: those windows get NaN.
    table = labels.drop(columns=["start", "end"]).reindex(np.where(inside, row, -1))
    table.index = pd.RangeIndex(len(table))
    table.insert(0, "equipment_id", plan.equipment_id)
    table.insert(1, "start", starts)
    return table


def join_tables(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put window tables one below the other.

    Neighbours of the same columns first: hundreds of columns that most tables lack take a tenth of
    the time so.
    """
    alike = groupby(tables, key=lambda table: tuple(table.columns))
    return pd.concat([pd.concat(list(group)) for _, group in alike], ignore_index=True)


def microsecond(time: datetime) -> int:
    """Return an instant in µs since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def microseconds(times: pd.Series) -> NDArray[np.int64]:
    """Return instants in µs since 1970, whatever their time zone."""
    utc = pd.to_datetime(times, utc=True)  # the columns of an empty table may have no type yet
    return np.asarray(utc.dt.as_unit("us"), dtype="datetime64[us]").astype(np.int64)
