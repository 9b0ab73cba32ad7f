"""What a folder contains: machines, sensors, rates and labels."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from hydrascope.schemas.base import COUNTER
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.folder.statistics import Extremes
from hydrascope.telemetry.folder.table_file import EQUIPMENT, SENSOR, TIMESTAMP, VALUE
from hydrascope.telemetry.init.headers import SensorGuess, identifier, sensor_of
from hydrascope.telemetry.init.tables import LABEL, RawTable, canonical, relative, rows_as_read

_LOOKED_AT = 20_000
"""The rows of a sensor from which its rate is taken."""
_DEFAULT_PERIOD_S = 1.0
_GAP_PERIODS, _FEWEST_GAP_S = 5, 10.0

_RELATIVE = (
    "times count from the start of each recording, taken as 2000-01-01; one row is one second "
    "later than the last unless a unit of time is named"
)

Ask = Callable[[SensorGuess], SensorGuess]
"""Returns a sensor as the user corrects it."""


@dataclass
class MachineSurvey:
    """What was recorded of one machine."""

    first: pd.Timestamp
    last: pd.Timestamp
    periods_s: dict[str, float] = field(default_factory=dict)
    """The usual time between two samples of each sensor, by id."""
    samples: Counter[str] = field(default_factory=Counter)
    """The number of values of each sensor, by id."""

    @property
    def duration_s(self) -> float:
        """The time that is recorded, without gaps."""
        lengths = (self.samples[name] * period for name, period in self.periods_s.items())
        return max(lengths, default=0.0)


@dataclass
class Survey:
    """What a folder of telemetry contains."""

    tables: Sequence[RawTable]
    time_zone: str
    """Zone of times without one, or `COUNTER`."""
    sensors: dict[str, SensorGuess] = field(default_factory=dict)
    """The sensors by header, or by name in a narrow table."""
    machines: dict[str, MachineSurvey] = field(default_factory=dict)
    labels: list[pd.DataFrame] = field(default_factory=list)
    """The rows of labels: timestamp, equipment_id and a column for each label."""
    names: Sequence[str] = ()
    """The machine of each file, if no column names it."""
    remarks: list[str] = field(default_factory=list)
    """What had to be guessed of the folder as a whole."""
    omitted: set[str] = field(default_factory=set)
    """The columns that hold no numbers."""
    extremes: defaultdict[str, Extremes] = field(default_factory=lambda: defaultdict(Extremes))
    """The extreme values of each sensor of all machines, by id."""
    rows_as_read: bool = True
    """Whether sources read times and machines' ids as they are."""

    @property
    def ids(self) -> dict[str, str]:
        """The ids of the sensors by header."""
        return {header: each.id for header, each in self.sensors.items()}

    @property
    def as_read(self) -> bool:
        """Whether sources read all files as they are."""
        return self.rows_as_read and all(table.as_read for table in self.tables)

    @property
    def period_s(self) -> float:
        """The period of the slowest sensor."""
        return max(max(each.periods_s.values()) for each in self.machines.values())

    @property
    def max_gap_s(self) -> float:
        """The longest time without samples within a recording."""
        return max(_FEWEST_GAP_S, _GAP_PERIODS * self.period_s)

    @property
    def counter(self) -> str | None:
        """What the times count, such as `cycle`; None: they are times."""
        if self.time_zone != COUNTER:
            return None
        return next((each.columns.time for each in self.tables if each.columns.time), "count")


def survey(tables: Sequence[RawTable], folder: Path, time_zone: str | None, ask: Ask) -> Survey:
    """Read all files once.

    Args:
        tables: The files.
        folder: Their folder.
        time_zone: Zone of times without one, or `COUNTER`; None: guessed.
        ask: Corrects what was guessed of a sensor.

    Raises:
        SpecError: A file cannot be read, or there is no sensor.
    """
    found = Survey(tables, time_zone or _zone(tables))
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
            _record(canonical(table, rows, first_row, machine, found.ids, time_zone), found)
            first_row += len(rows)
    if not found.sensors:
        headers = ", ".join(tables[0].headers)
        raise SpecError(f"{folder}: no column of numbers that may be a sensor; it has: {headers}")
    return found


def _zone(tables: Sequence[RawTable]) -> str:
    return COUNTER if all(table.counts for table in tables) else "UTC"


def _machine_names(
    tables: Sequence[RawTable], folder: Path, time_zone: str, found: Survey
) -> list[str]:
    """Return the machine of each file, for files without a column that names it."""
    stems = [identifier(table.path.stem) for table in tables]
    if len(set(stems)) < len(stems):  # such as pump_1/log.csv and pump_2/log.csv
        paths = (table.path.relative_to(folder).with_suffix("") for table in tables)
        stems = [identifier("_".join(path.parts)) for path in paths]
    unnamed = [table for table in tables if table.columns.machine is None]
    if not unnamed:
        return stems
    one = identifier(folder.resolve().name)
    if len(unnamed) == 1:
        found.remarks.append("no column names the machine: it has the name of the folder")
        return [one] * len(tables)
    spans = sorted(span for table in unnamed if (span := _span(table, time_zone)))
    apart = all(before[1] < after[0] for before, after in pairwise(spans))
    if spans and len(spans) == len(unnamed) and apart:
        found.remarks.append("no column names the machine: the files follow each other in time")
        return [one] * len(tables)
    found.remarks.append("no column names the machine: each file is one")
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
        numeric = pd.api.types.is_numeric_dtype(rows[header])
        if numeric or pd.to_numeric(rows[header], errors="coerce").notna().any():
            found.omitted.discard(header)
            _add(found, sensor_of(header), ask)
        else:
            found.omitted.add(header)


def _add(found: Survey, guess: SensorGuess, ask: Ask) -> None:
    taken = {each.id for each in found.sensors.values()}
    unique, number = guess.id, 2
    while unique in taken:
        unique, number = f"{guess.id}_{number}", number + 1
    found.sensors[guess.header] = ask(guess._replace(id=unique))


def _record(frame: pd.DataFrame, found: Survey) -> None:
    """Add what a frame contains to the survey."""
    labels = [name for name in frame if str(name).startswith(LABEL)]
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
        if not name.startswith(LABEL)
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
