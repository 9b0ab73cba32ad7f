"""The scores of windows as scores of the rows that they are computed from."""

import numpy as np
import pandas as pd

from hydrascope.data.windows import EQUIPMENT, microseconds
from hydrascope.prediction.first_part.learn import Scored
from hydrascope.schemas.normality import BLAME, MACHINE, SENSOR
from hydrascope.telemetry.folder.table_file import TIMESTAMP
from hydrascope.telemetry.init.surveyed import Survey
from hydrascope.telemetry.init.tables import RELATIVE_START, RawTable, canonical, counts, relative

OF_WINDOWS = ("score", "alarm", "sensor", "component", "probability", "learned")
COLUMNS = ("time", EQUIPMENT, *OF_WINDOWS)


def row_scores(found: Survey, scored: Scored) -> pd.DataFrame:
    """Return a row for each instant of the files, in their order, with the columns `COLUMNS`.

    A row has the score of the first window that contains it, which is the answer that is known
    soonest. `score` is a multiple of the threshold, `alarm` whether it is above 1, `sensor` the
    sensor with the highest score, and `learned` whether the window was learned from. Where there is
    an alarm on a machine of several components, `component` is the one that is most probably to
    blame, with its `probability`. A row in no window has none of them.
    """
    of_windows = _by_window(scored.table)
    parts = []
    for table, machine in zip(found.tables, found.names, strict=True):
        rows = _instants(found, table, machine)
        of_machines = [
            own.join(
                _of_first_window(own, of_windows[of_windows[EQUIPMENT] == name], scored.window_s)
            )
            for name, own in rows.groupby(EQUIPMENT, sort=False)
        ]
        parts.append(pd.concat(of_machines).sort_index())
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def _by_window(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns `OF_WINDOWS` and the place in time of each window, ordered by time."""
    machines = table[table["level"] == MACHINE].set_index("window")
    sensors = table[(table["level"] == SENSOR) & table["score"].notna()]
    highest = sensors.loc[sensors.groupby("window")["score"].idxmax()].set_index("window")["id"]
    blame = table[table["level"] == BLAME]
    blame = blame[blame.groupby("window")["id"].transform("size") > 1]  # of one, nothing is said
    first = blame.loc[blame.groupby("window")["score"].idxmax()].set_index("window")
    return machines.assign(
        sensor=highest.reindex(machines.index),
        component=first["id"].reindex(machines.index),
        probability=first["score"].reindex(machines.index),
    ).sort_values("start")


def _instants(found: Survey, table: RawTable, machine: str) -> pd.DataFrame:
    """Return `time` as a file has it, `timestamp` (UTC) and `equipment_id`, a row an instant.

    Args:
        found: What the files contain.
        table: The file.
        machine: The machine, if no column names it.
    """
    parts, first_row = [], 0
    for rows in table.chunks():
        frame = canonical(table, rows, first_row, machine, found.ids, found.time_zone)
        first_row += len(rows)
        time = frame[TIMESTAMP]
        if found.counter:
            time = counts(time)
        elif relative(table, rows):
            time = (time - RELATIVE_START).dt.total_seconds()
        parts.append(frame[[TIMESTAMP, EQUIPMENT]].assign(time=time))
    whole = pd.concat(parts, ignore_index=True)
    narrow = table.columns.sensor is not None  # with a row for each sensor of an instant
    return whole.drop_duplicates(ignore_index=True) if narrow else whole


def _of_first_window(rows: pd.DataFrame, windows: pd.DataFrame, window_s: float) -> pd.DataFrame:
    """Return the columns of each row's first window, NaN where there is none."""
    start_us, time_us = microseconds(windows["start"]), microseconds(rows[TIMESTAMP])
    at = np.searchsorted(start_us + round(window_s * 1e6), time_us, side="right")
    inside = at < len(start_us)
    inside[inside] = start_us[at[inside]] <= time_us[inside]
    chosen = windows[list(OF_WINDOWS)].iloc[at[inside]]
    return chosen.set_index(rows.index[inside]).reindex(rows.index)
