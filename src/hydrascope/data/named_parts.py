"""The part of each window as a label column or lists of machines and times name it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.windows import EQUIPMENT, microseconds
from hydrascope.schemas.errors import SpecError, closest, validate
from hydrascope.schemas.parts import PARTS
from hydrascope.schemas.time import TimeWindow
from hydrascope.telemetry.times import as_microseconds

_TIME = "2026-01-01T00:00:00Z/2026-02-01T00:00:00Z"


def parts_in_column(table: pd.DataFrame, column: str) -> NDArray[np.object_]:
    """Return the part of each window, [W]; None where the column has no value.

    Raises:
        SpecError: There is no such column, or it has a value that is no part.
    """
    values = label_column(table, "column", column)
    strange = table[values.notna() & ~values.isin(PARTS)]
    if len(strange):
        row = strange.iloc[0]
        raise SpecError(
            f"{column!r} has the value {row[column]!r}, of {row[EQUIPMENT]} at the end of the "
            f"window from {row['start']}; accepted: {', '.join(PARTS)}, or empty for windows in no "
            "part",
            path="data.split.column",
        )
    return values.astype(object).where(values.notna(), None).to_numpy()


def parts_in_lists(
    table: pd.DataFrame, lists: Mapping[str, Sequence[str]], window_s: float
) -> NDArray[np.object_]:
    """Return the part of each window, [W]; None for windows that no list names.

    A window is in a time if all of it is.

    Args:
        table: Window table.
        lists: Machines (`press_7`) and times of all machines (`2026-01-01T00:00Z/2026-02-01T00:00Z`
            in ISO 8601) of each part.
        window_s: Length of a window.

    Raises:
        SpecError: An entry is neither a machine nor a time, has no window, or shares a window with
            an entry of another part.
    """
    start_us = microseconds(table["start"])
    end_us = start_us + round(window_s * 1e6)
    machine = table[EQUIPMENT].to_numpy(dtype=object)
    names = list(map(str, table[EQUIPMENT].unique()))
    part = np.full(len(table), None, dtype=object)
    by = part.copy()
    for name in PARTS:
        for entry in lists.get(name, ()):
            path = f"data.split.parts.{name}"
            if entry in names:
                inside = machine == entry
            else:
                time = _time(entry, names, path)
                begin_us, stop_us = as_microseconds(time.start), as_microseconds(time.end)
                inside = (start_us >= begin_us) & (end_us <= stop_us)
            if not inside.any():
                raise SpecError(f"{entry!r} has no window; accepted: recorded times", path=path)
            for row in np.flatnonzero(inside & (part != None) & (part != name))[:1]:  # noqa: E711
                raise SpecError(
                    f"{entry!r} shares windows of {machine[row]!r} with {by[row]!r} in "
                    f"{part[row]}; accepted: each window in one part",
                    path=path,
                )
            part[inside], by[inside] = name, entry
    return part


def label_column(table: pd.DataFrame, key: str, name: str) -> pd.Series:
    """Return the column that a key of `data.split` names.

    Raises:
        SpecError: There is none.
    """
    if name not in table:
        columns = list(map(str, table.columns))
        raise SpecError(
            f"data.split.{key} is {name!r}; the source has: {', '.join(columns)}"
            + closest(name, columns)
        )
    return table[name]


def _time(entry: str, machines: Sequence[str], path: str) -> TimeWindow:
    """Read `start/end`."""
    start, slash, end = entry.partition("/")
    if not slash:
        shown = ", ".join(machines[:10]) + (" …" if len(machines) > 10 else "")
        raise SpecError(
            f"{entry!r} is no machine and no time; accepted: {shown}, or start/end, such as "
            f"{_TIME}{closest(entry, machines)}",
            path=path,
        )
    try:
        return validate(TimeWindow, {"start": start, "end": end})
    except SpecError as error:
        raise SpecError(
            f"{entry!r} is no time: {error.faults[0]}; accepted: start/end, such as {_TIME}",
            path=path,
        ) from None
