"""The windows of a machine in time, and their labels."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.features.config import Short
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.time import TimeWindow
from hydrascope.telemetry.source import TelemetrySource
from hydrascope.telemetry.times import as_microseconds

EQUIPMENT = "equipment_id"
"""The column of the window table with the machine."""
WindowNumbers = NDArray[np.int64]
"""Numbers of windows, which are rows of the window table and of the dataset."""
_NUMBERS = (np.float64, np.int64)


@dataclass(frozen=True)
class WindowPlan:
    """All windows of one machine, numbered in order of time; its memory grows with extents only.

    Attributes:
        extents: Stretches of telemetry that contain at least one window.
    """

    machine: Machine
    spec: WindowSpec
    extents: tuple[TimeWindow, ...]

    @property
    def equipment_id(self) -> str:
        """The equipment id of the machine."""
        return self.machine.equipment.equipment_id

    def __len__(self) -> int:
        return int(self._first[-1])

    @cached_property
    def _first(self) -> NDArray[np.int64]:
        """The number of the first window of each extent, [extents + 1]."""
        return np.cumsum([0, *(self.spec.count(extent) for extent in self.extents)])

    def stretches(self, rows: range) -> Iterator[tuple[TimeWindow, NDArray[np.float64]]]:
        """Yield each extent of windows `rows`, with their starts in seconds after its start."""
        holder = int(np.searchsorted(self._first, rows.start, side="right")) - 1
        for number in range(holder, len(self.extents)):
            first, stop = (int(row) for row in self._first[number : number + 2])
            if first >= rows.stop:
                return
            begin, end = max(first, rows.start) - first, min(stop, rows.stop) - first
            extent = self.extents[number]
            yield extent, self.spec.starts_s(extent, begin, end)

    def starts(self, rows: range | None = None) -> pd.DatetimeIndex:
        """Return the start of windows `rows`; None: of every window."""
        instants_us = [
            as_microseconds(extent.start) + np.rint(starts_s * 1e6).astype(np.int64)
            for extent, starts_s in self.stretches(range(len(self)) if rows is None else rows)
        ]
        utc = pd.DatetimeIndex(np.concatenate(instants_us).view("datetime64[us]"), tz="UTC")
        return utc.tz_convert(self.extents[0].start.tzinfo)


def plan_windows(source: TelemetrySource, machine: Machine, spec: WindowSpec) -> WindowPlan:
    """Find the windows of a machine without reading telemetry.

    Raises:
        SpecError: No stretch of the telemetry is as long as a window.
    """
    (plan,), _ = plan_machines(source, {machine.equipment.equipment_id: machine}, spec)
    return plan


def plan_machine(
    source: TelemetrySource, machine: Machine, spec: WindowSpec, short: Short
) -> WindowPlan:
    """Find the windows of a machine without reading telemetry.

    If all its recordings are shorter than a window, the longest one has one padded window, or the
    plan is empty, as `short` says.
    """
    extents = source.extents(machine.equipment.equipment_id)
    whole = tuple(extent for extent in extents if spec.count(extent))
    if not whole and extents and short == "pad":
        spec = replace(spec, padded=True)
        whole = (max(extents, key=lambda extent: extent.duration),)
    return WindowPlan(machine, spec, whole)


def short_remark(kept: str, names: Sequence[str], machines: int) -> str:
    """Return the remark that names the machines without a recording as long as a window."""
    return (
        f"data.window.short={kept}: {len(names)} of {machines} machines have no recording as long "
        f"as a window: {', '.join(names)}"
    )


def plan_machines(
    source: TelemetrySource,
    machines: Mapping[str, Machine],
    spec: WindowSpec,
    short: Short = "stop",
) -> tuple[list[WindowPlan], list[str]]:
    """Find the windows of all machines without reading telemetry.

    Returns:
        The plans in the order of the machines, and the machines whose recordings are all shorter
        than a window. If these are padded, the longest recording of each has one window.

    Raises:
        SpecError: There are such machines and `short` is stop, or there are no others to keep.
    """
    laid = [plan_machine(source, machine, spec, short) for machine in machines.values()]
    plans = [plan for plan in laid if len(plan)]
    brief = [plan.equipment_id for plan in laid if plan.spec != spec or not len(plan)]
    if brief and (short == "stop" or not plans):
        raise SpecError(
            f"no telemetry of {', '.join(brief)} lasts {spec.window_s:g} s without a gap "
            f"({len(brief)} of {len(machines)} machines); accepted: a shorter window, or "
            "data.window.short=skip or pad",
            path="data.window.window_s",
        )
    return plans, brief


def window_table(plan: WindowPlan, labels: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each window: `equipment_id`, `start`, and the labels at its end.

    These are the labels whose interval contains the window's last microsecond.
    """
    starts = plan.starts()
    labels = labels.sort_values("start", ignore_index=True)
    last = microseconds(starts.to_series()) + round(plan.spec.window_s * 1e6) - 1
    row = np.searchsorted(microseconds(labels["start"]), last, side="right") - 1
    inside = row >= 0
    inside[inside] = last[inside] < microseconds(labels["end"])[row[inside]]
    # Row −1 does not exist, so windows without a label get NaN.
    table = labels.drop(columns=["start", "end"]).reindex(np.where(inside, row, -1))
    table.index = pd.RangeIndex(len(table))
    table.insert(0, EQUIPMENT, plan.equipment_id)
    table.insert(1, "start", starts)
    return table


def join_tables(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate window tables.

    Numbers that some tables lack are put into one array. `pandas.concat` would take minutes for
    thousands of builds, each of which has columns that few others have.
    """
    groups = [list(group) for _, group in groupby(tables, key=lambda table: tuple(table.columns))]
    parts = [pd.concat(group, ignore_index=True) for group in groups]
    partial = _partial_numbers(parts)
    places = {name: place for place, name in enumerate(partial)}
    numbers = np.full((sum(map(len, parts)), len(places)), np.nan)
    rest, first = [], 0
    for part in parts:
        own = [name for name in part.columns if name in places]
        at = [places[name] for name in own]
        numbers[first : first + len(part), at] = part[own].to_numpy(np.float64)
        rest.append(part.drop(columns=own))
        first += len(part)
    joined = pd.concat(rest, ignore_index=True)
    names = dict.fromkeys(name for part in parts for name in part.columns)
    return joined.join(pd.DataFrame(numbers, columns=list(partial)))[list(names)]


def _partial_numbers(tables: Sequence[pd.DataFrame]) -> list[str]:
    """Return the columns that some tables lack and that are numbers wherever they are."""
    found: Counter[str] = Counter()
    other: set[str] = set()
    for table in tables:
        found.update(table.columns)
        other.update(str(name) for name, kind in table.dtypes.items() if kind not in _NUMBERS)
    return [name for name, times in found.items() if times < len(tables) and name not in other]


def nearest(times: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Return the distance [R] of each time to the nearest of some others, at least one."""
    others = np.sort(others)
    after = np.searchsorted(others, times)
    before, behind = np.maximum(after - 1, 0), np.minimum(after, len(others) - 1)
    distance: NDArray[Any] = np.minimum(abs(times - others[before]), abs(times - others[behind]))
    return distance


def microseconds(times: pd.Series) -> NDArray[np.int64]:
    """Convert times in any time zone to µs since 1970."""
    utc = pd.to_datetime(times, utc=True)  # the columns of an empty table may have no type yet
    return np.asarray(utc.dt.as_unit("us"), dtype="datetime64[us]").astype(np.int64)
