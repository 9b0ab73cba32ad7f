"""Reads a folder once: machines, sensors, rates, labels and quality flags."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from hydrascope.schemas.base import COUNTER
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.folder.table_file import EQUIPMENT, SENSOR, TIMESTAMP, VALUE
from hydrascope.telemetry.init.headers import SensorGuess, identifier, sensor_of
from hydrascope.telemetry.init.number_text import numbers
from hydrascope.telemetry.init.surveyed import MOST_CLASSES, MachineSurvey, Survey
from hydrascope.telemetry.init.tables import (
    FLAG,
    LABEL,
    RawTable,
    canonical,
    label_name,
    relative,
    rows_as_read,
)
from hydrascope.telemetry.init.time_text import date_order

_LOOKED_AT = 20_000
"""The rows of a sensor from which its rate is taken."""
_DEFAULT_PERIOD_S = 1.0
_MOST_FLAGS = 10
"""The most quality flags that are counted."""

_RELATIVE = (
    "times count from the start of each recording, taken as 2000-01-01; one row is one second "
    "later than the last unless a unit of time is named"
)

Ask = Callable[[SensorGuess], SensorGuess]
"""Returns a sensor as the user corrects it."""


def survey(tables: Sequence[RawTable], folder: Path, time_zone: str | None, ask: Ask) -> Survey:
    """Read all files once.

    Args:
        tables: The files.
        folder: Their folder; its name is that of the machine, if nothing else says it.
        time_zone: Zone of times without one, or `COUNTER`; None: guessed.
        ask: Corrects what was guessed of a sensor.

    Raises:
        SpecError: A file cannot be read, or there is no sensor.
    """
    tables, dates = _dated(tables)
    guessed = COUNTER if all(table.counts for table in tables) else "UTC"
    found = Survey(tables, time_zone or guessed)
    if dates is not None:
        found.remarks.append(dates)
    if time_zone is None:
        counted = f"{found.counter} is a counter: one count is read as a second"
        found.remarks.append(counted if found.counter else "times without a zone are in UTC")
    time_zone = found.time_zone
    found.names = _machine_names(tables, folder, time_zone, found)
    for table, machine in zip(tables, found.names, strict=True):
        first_row = 0
        for rows in table.chunks():
            if table.columns.sensor is not None or not first_row:
                _find_sensors(table, rows, found, ask)
            if not found.counter and relative(table, rows) and _RELATIVE not in found.remarks:
                found.remarks.append(_RELATIVE)
            found.rows_as_read &= rows_as_read(table, rows, time_zone)
            _name_machines(table, rows, found)
            frame = canonical(table, rows, first_row, machine, found.ids, time_zone)
            _count_texts(table, frame, found)
            _record(frame, found)
            first_row += len(rows)
    if not found.sensors:
        headers = ", ".join(tables[0].headers)
        raise SpecError(f"{folder}: no column of numbers that may be a sensor; it has: {headers}")
    return found


def _dated(tables: Sequence[RawTable]) -> tuple[list[RawTable], str | None]:
    """Return the tables with the order of their dates, and how it was guessed."""
    texts = (
        rows[name]
        for table in tables
        if (name := table.columns.time) is not None
        for rows in table.chunks(only=name)
        if pd.api.types.is_string_dtype(rows[name])
    )
    order = date_order(texts)
    return [replace(table, day_first=order.day_first) for table in tables], order.guessed


def _machine_names(
    tables: Sequence[RawTable], folder: Path, time_zone: str, found: Survey
) -> list[str]:
    """Return the machine of each file, for files without a column that names it."""
    stems = [identifier(table.path.stem) for table in tables]
    if len(set(stems)) < len(stems):  # such as pump_1/log.csv and pump_2/log.csv
        paths = (table.path.relative_to(folder).with_suffix("") for table in tables)
        stems = [identifier("_".join(path.parts)) for path in paths]
    files = dict(zip(stems, tables, strict=True))
    unnamed = [table for table in tables if table.columns.machine is None]
    if not unnamed:
        return stems
    one = identifier(folder.resolve().name)
    if len(unnamed) == 1:
        found.remarks.append(f"no column names the machine: it is called {one}")
        return [one] * len(tables)
    spans = sorted(span for table in unnamed if (span := _span(table, time_zone)))
    apart = all(before[1] < after[0] for before, after in pairwise(spans))
    if spans and len(spans) == len(unnamed) and apart:
        found.remarks.append("no column names the machine: the files follow each other in time")
        return [one] * len(tables)
    found.remarks.append("no column names the machine: each file is one")
    for table, stem in zip(tables, stems, strict=True):
        if files[stem] is not table:
            raise SpecError(
                f"{table.path} and {files[stem].path} would both be the machine {stem}; rename one"
            )
    return stems


def _span(table: RawTable, time_zone: str) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """Return the first and last time of a file; None if it has no times of its own."""
    ends: list[pd.Timestamp] = []
    for rows in table.chunks():
        if len(rows) and time_zone != COUNTER and relative(table, rows):
            return None
        times = canonical(table, rows, 0, "", {}, time_zone)[TIMESTAMP]
        ends += [times.min(), times.max()] if len(times) else []
    return (min(ends), max(ends)) if ends else None


def _find_sensors(table: RawTable, rows: pd.DataFrame, found: Survey, ask: Ask) -> None:
    columns = table.columns
    if columns.sensor is not None:
        names = rows[columns.sensor].astype(str)
        units = rows[columns.unit] if columns.unit else pd.Series(None, index=rows.index)
        for name in names.unique():
            if name not in found.sensors:
                unit = units[names == name].dropna()
                _add(found, sensor_of(name, str(unit.iloc[0]) if len(unit) else None), ask)
        return
    for header in columns.sensors:
        if header in found.sensors:
            continue
        read = numbers(rows[header], table.decimal)
        if pd.api.types.is_numeric_dtype(rows[header]) or read.values.notna().any():
            found.omitted.discard(header)
            _add(found, sensor_of(header), ask)
            if read.thousands:
                found.remarks.append(f"{header}: {read.thousands} is a number with thousands")
        else:
            found.omitted.add(header)
            if read.both:
                found.unclear[header] = read.both


def _name_machines(table: RawTable, rows: pd.DataFrame, found: Survey) -> None:
    """Note how machines are called in the files."""
    column = table.columns.machine
    if column is None:
        return
    if rows[column].isna().any():
        raise SpecError(f"{table.path}: {column}: empty in a row; expected a machine in every row")
    for name in map(str, rows[column].unique()):
        other = found.called.setdefault(identifier(name), name)
        if other != name:
            raise SpecError(
                f"{table.path}: {column}: {name!r} and {other!r} would both be the machine "
                f"{identifier(name)}; rename one"
            )


def _count_texts(table: RawTable, frame: pd.DataFrame, found: Survey) -> None:
    """Count quality flags, and the values of texts that may be labels."""
    known = {label_name(header) for header in table.columns.labels}
    for name in map(str, frame):
        if name.startswith(FLAG):
            for flag, rows in frame[name].value_counts().items():
                if flag in found.flags or len(found.flags) < _MOST_FLAGS:
                    found.flags[str(flag)] += int(rows)
        elif name.startswith(LABEL) and name not in known:
            seen = found.texts[name.removeprefix(LABEL)]
            left = MOST_CLASSES + 1 - len(seen)
            seen.update(frame[name].dropna().astype(str).unique()[: max(left, 0)])


def _add(found: Survey, guess: SensorGuess, ask: Ask) -> None:
    taken = {each.id for each in found.sensors.values()}
    unique, number = guess.id, 2
    while unique in taken:
        unique, number = f"{guess.id}_{number}", number + 1
    found.sensors[guess.header] = ask(guess._replace(id=unique))


def _record(frame: pd.DataFrame, found: Survey) -> None:
    """Add what a frame contains to the survey."""
    many = {f"{LABEL}{name}" for name, seen in found.texts.items() if len(seen) > MOST_CLASSES}
    labels = [name for name in frame if str(name).startswith(LABEL) and name not in many]
    if labels:
        found.labels.append(frame[[TIMESTAMP, EQUIPMENT, *labels]])
    for name, rows in frame.groupby(EQUIPMENT, sort=False):
        first, last = rows[TIMESTAMP].min(), rows[TIMESTAMP].max()
        known = found.machines.setdefault(str(name), MachineSurvey(first, last))
        known.first, known.last = min(known.first, first), max(known.last, last)
        for sensor, (times, values) in _by_sensor(rows).items():
            if not len(times):
                continue
            if sensor not in known.periods_s:
                known.periods_s[sensor] = _period_s(times)
            known.samples[sensor] += times.nunique()
            finite = values[np.isfinite(values)].to_numpy(np.float32)
            if len(finite):
                found.extremes[sensor].add(finite)


def _by_sensor(rows: pd.DataFrame) -> Mapping[str, tuple[pd.Series, pd.Series]]:
    """Return times and values of each sensor where there is a value."""
    if SENSOR in rows:
        valid = rows[rows[VALUE].notna()].groupby(SENSOR, sort=False)
        return {str(name): (each[TIMESTAMP], each[VALUE]) for name, each in valid}
    sensors = (str(name) for name in rows if name not in (TIMESTAMP, EQUIPMENT))
    return {
        name: (rows.loc[rows[name].notna(), TIMESTAMP], rows[name].dropna())
        for name in sensors
        if not name.startswith((LABEL, FLAG))
    }


def _period_s(times: pd.Series) -> float:
    """Return the median time between samples, rounded to what a device would be set to."""
    instants = np.unique(times.iloc[:_LOOKED_AT].to_numpy("datetime64[us]"))
    if len(instants) < 2:
        return _DEFAULT_PERIOD_S
    period = float(np.median(np.diff(instants)).astype(np.int64)) / 1e6
    for nice in (round(period), 1 / round(1 / period) if period < 1 else 0):
        if nice and abs(period / nice - 1) < 0.01:
            return float(nice)
    return float(f"{period:.6g}")
