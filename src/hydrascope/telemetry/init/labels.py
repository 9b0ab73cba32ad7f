"""Labels of a folder as tables of intervals, numbered, and those that follow from the telemetry."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from hydrascope.schemas.base import COUNTER
from hydrascope.telemetry.folder.labels import label_files, read_labels
from hydrascope.telemetry.folder.table_file import EQUIPMENT, TIMESTAMP
from hydrascope.telemetry.init.headers import LIVES, SPLITS, identifier
from hydrascope.telemetry.init.label_values import (
    ACCEPTED_PARTS,
    numbered,
    one_spelling,
    parts_of,
)
from hydrascope.telemetry.init.surveyed import MOST_CLASSES, Survey
from hydrascope.telemetry.init.tables import LABEL, counts

REMAINING_LIFE = "remaining_life"
"""The label that is counted back from the end of each recording."""
_MOST_INTERVALS = 1000
"""The most intervals of remaining life for each machine."""
_FEWEST_MACHINES, _FEWEST_INTERVALS = 3, 10
"""The fewest machines, or intervals, that each class of a label must have to be learned."""
_FEWEST_ROWS = 5
"""The fewest rows in a row with one value, on average, of a text that may be a label."""


@dataclass(frozen=True)
class Label:
    """A label over time."""

    table: pd.DataFrame
    """The intervals: equipment_id, start, end and a column with the label's name."""
    names: Mapping[float, str] = field(default_factory=dict)
    """What the values stand for, if the folder has texts."""
    healthy: float | None = None
    """The value that stands for a text such as `normal`."""
    column: str | None = None
    """The column of texts that may be this label; None: its name says that it is one."""

    @property
    def name(self) -> str:
        """The name of the label."""
        return str(self.table.columns[-1])

    @property
    def values(self) -> list[float]:
        """The distinct values, ascending."""
        return sorted(self.table[self.name].dropna().unique())

    @property
    def is_split(self) -> bool:
        """Whether it says in which part of a split a window is."""
        return self.name in SPLITS

    @property
    def parts(self) -> set[str]:
        """The parts of a split that it names."""
        return set(map(str, self.table[self.name].dropna())) if self.is_split else set()

    @property
    def is_life(self) -> bool:
        """Whether it is a remaining life."""
        return self.name in LIVES

    @property
    def many(self) -> bool:
        """Whether it has so many values that it is a quantity."""
        return self.is_life or len(self.values) > MOST_CLASSES

    @property
    def learnable(self) -> bool:
        """Whether each class is frequent enough to be learned and judged."""
        return not self.is_split and self.why_not is None

    @property
    def why_not(self) -> str | None:
        """Why it cannot be learned and judged; None: nothing speaks against it."""
        if self.is_split or self.many:
            return None
        if len(self.values) < 2:
            return "it has one value" if self.values else "it has no value"
        each = self.table.groupby(self.name)
        machines, intervals = each[EQUIPMENT].nunique(), each.size()
        if machines.min() >= _FEWEST_MACHINES or intervals.min() >= _FEWEST_INTERVALS:
            return None
        rarest = int(intervals.to_numpy().argmin())
        value = float(intervals.index[rarest])
        return (
            f"{self.names.get(value, f'{value:g}')!r} is in "
            f"{_counted(intervals.iloc[rarest], 'interval')} of "
            f"{_counted(machines.iloc[rarest], 'machine')}; expected {_FEWEST_INTERVALS} intervals "
            f"or {_FEWEST_MACHINES} machines of each value"
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def labels_of(found: Survey, folder: Path) -> dict[str, Label]:
    """Return the labels by name, from label files and from rows.

    What was guessed of them is added to the remarks of `found`, and texts that may be labels are
    no longer omitted.
    """
    period_s = min(period for each in found.machines.values() for period in each.periods_s.values())
    tables = _intervals(found, period_s)
    given = read_labels(label_files(folder, None), found.time_zone, found.machines)
    for machine, table in given.items():
        for label in table.columns.drop(["start", "end"]):
            rows = table[["start", "end", label]].dropna()
            rows.insert(0, EQUIPMENT, machine)
            name = identifier(str(label)).lower()
            rows = rows.rename(columns={label: name})
            tables[name] = pd.concat([tables[name], rows]) if name in tables else rows
    headers = {identifier(header).lower(): header for header in found.omitted}
    every = {}
    for name, table in tables.items():
        if len(table) and (read := _label(name, table, headers.get(name), found)):
            every[name] = read
            found.omitted.discard(headers.get(name, ""))
    return every


def _label(name: str, table: pd.DataFrame, column: str | None, found: Survey) -> Label | None:
    """Return a label, or None for a split with strange parts and for a text of one value."""
    values, merged = one_spelling(table[name])
    found.remarks += [f"label {name}: {each}" for each in merged]
    table = table.assign(**{name: values}).dropna(subset=name)
    if name in SPLITS:
        parts, strange = parts_of(table[name])
        if strange is not None:
            found.remarks.append(
                f"{name} is no split, because it has {strange!r}; accepted: {ACCEPTED_PARTS}"
            )
            return None
        return Label(table.assign(**{name: parts}))
    number = numbered(table[name])
    label = Label(table.assign(**{name: number.values}), number.names, number.healthy, column)
    return None if column is not None and len(label.values) < 2 else label


def remaining_life(found: Survey) -> Label:
    """Return how long each machine still ran, in counts or else in hours."""
    tables = []
    for machine, seen in found.machines.items():
        period = pd.Timedelta(seconds=min(seen.periods_s.values()))
        samples = (seen.last - seen.first) // period + 1
        each = -(-samples // _MOST_INTERVALS) * period
        start = pd.date_range(seen.first, seen.last, freq=each)
        end = start + each
        left = np.maximum((seen.last - (end - period)) / pd.Timedelta(seconds=1), 0)
        scale = 1 if found.counter else 3600
        table = pd.DataFrame({EQUIPMENT: machine, "start": start, "end": end})
        tables.append(table.assign(**{REMAINING_LIFE: left / scale}))
    return Label(pd.concat(tables, ignore_index=True))


def as_text(labels: Mapping[str, Label], time_zone: str) -> str:
    """Return the labels as one CSV file, in which the intervals of a machine do not overlap."""
    machines = sorted({each for label in labels.values() for each in label.table[EQUIPMENT]})
    table = pd.concat([_joined(labels, machine) for machine in machines], ignore_index=True)
    if time_zone == COUNTER:
        table = table.assign(start=counts(table["start"]), end=counts(table["end"]))
    return str(table.to_csv(index=False))


def _joined(labels: Mapping[str, Label], machine: str) -> pd.DataFrame:
    """Return the labels of a machine, in intervals between which any of them may change."""
    own = {name: each.table[each.table[EQUIPMENT] == machine] for name, each in labels.items()}
    ends = pd.concat([each[side] for each in own.values() for side in ("start", "end")])
    bounds = pd.DatetimeIndex(ends.sort_values().unique())
    table = pd.DataFrame({EQUIPMENT: machine, "start": bounds[:-1], "end": bounds[1:]})
    for name, each in own.items():
        by_start = each.sort_values("start", ignore_index=True)
        row = by_start["start"].searchsorted(table["start"], side="right") - 1
        held = by_start.reindex(np.where(row >= 0, row, len(by_start))).reset_index(drop=True)
        table[name] = held[name].where(table["start"] < held["end"])
    return table.dropna(subset=list(own), how="all")


def _intervals(found: Survey, period_s: float) -> dict[str, pd.DataFrame]:
    """Return a table of intervals (equipment_id, start, end, label) for each label column.

    An interval ends where the label changes, or where no row comes for longer than the gap that
    ends a recording. Texts that have many values, or change with almost every row, are left out.
    """
    if not found.labels:
        return {}
    whole = pd.concat(found.labels).sort_values([EQUIPMENT, TIMESTAMP], ignore_index=True)
    tables: defaultdict[str, pd.DataFrame] = defaultdict(pd.DataFrame)
    for column in (str(name) for name in whole if str(name).startswith(LABEL)):
        name = column.removeprefix(LABEL)
        guessed = found.texts.get(name)
        if guessed is not None and len(guessed) > MOST_CLASSES:
            continue
        spelt, merged = one_spelling(whole[column])
        known = whole.assign(**{column: spelt}).dropna(subset=column)
        machine, value = known[EQUIPMENT], known[column]
        other = (machine != machine.shift()) | (value != value.shift())
        later = known[TIMESTAMP].diff() > pd.Timedelta(seconds=found.max_gap_s)
        number = (other | later).cumsum()
        if guessed is not None and len(known) < _FEWEST_ROWS * number.nunique():
            continue
        found.remarks += [f"label {name}: {each}" for each in merged]
        groups = known.groupby(number)
        table = pd.DataFrame(
            {
                EQUIPMENT: groups[EQUIPMENT].first(),
                "start": groups[TIMESTAMP].first(),
                "end": groups[TIMESTAMP].last() + pd.Timedelta(seconds=period_s),
                name: groups[column].first(),
            }
        )
        following = table["start"].shift(-1)
        same = table[EQUIPMENT] == table[EQUIPMENT].shift(-1)
        table["end"] = table["end"].where(~(same & (following < table["end"])), following)
        tables[name] = table.reset_index(drop=True)
    return dict(tables)
