"""Labels of a folder as tables of intervals, numbered, and those that follow from the telemetry."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from hydrascope.schemas.base import COUNTER
from hydrascope.telemetry.folder.labels import label_files, read_labels
from hydrascope.telemetry.folder.table_file import EQUIPMENT, TIMESTAMP
from hydrascope.telemetry.init.headers import LIVES, SPLITS, identifier
from hydrascope.telemetry.init.survey import Survey
from hydrascope.telemetry.init.tables import LABEL, counts

REMAINING_LIFE = "remaining_life"
"""The label that is counted back from the end of each recording."""
_MOST_INTERVALS = 1000
"""The most intervals of remaining life for each machine."""
_MOST_CLASSES = 20
_FEWEST_MACHINES, _FEWEST_INTERVALS = 3, 10
"""The fewest machines, or intervals, that each class of a label must have to be learned."""
_HEALTHY = (
    *("normal", "ok", "healthy", "good", "no", "none", "false", "sound", "nominal"),
    *("no fault", "no_fault", "fault-free", "faultfree"),
)
_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclass(frozen=True)
class Label:
    """A label over time."""

    table: pd.DataFrame
    """The intervals: equipment_id, start, end and a column with the label's name."""
    names: Mapping[float, str] = field(default_factory=dict)
    """What the values stand for, if the folder has texts."""
    healthy: float | None = None
    """The value that stands for a text such as `normal`."""

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
        return self.is_life or len(self.values) > _MOST_CLASSES

    @property
    def learnable(self) -> bool:
        """Whether each class is frequent enough to be learned and judged."""
        if self.is_split:
            return False
        if self.many:
            return True
        each = self.table.groupby(self.name)
        several = each[EQUIPMENT].nunique().min() >= _FEWEST_MACHINES
        often = each.size().min() >= _FEWEST_INTERVALS
        return bool(len(self.values) > 1 and (several or often))


def labels_of(found: Survey, folder: Path) -> dict[str, Label]:
    """Return the labels by name, from label files and from rows."""
    period_s = min(period for each in found.machines.values() for period in each.periods_s.values())
    tables = _intervals(found.labels, period_s, found.max_gap_s)
    given = read_labels(label_files(folder, None), found.time_zone, found.machines)
    for machine, table in given.items():
        for label in table.columns.drop(["start", "end"]):
            rows = table[["start", "end", label]].dropna()
            rows.insert(0, EQUIPMENT, machine)
            name = identifier(str(label)).lower()
            rows = rows.rename(columns={label: name})
            tables[name] = pd.concat([tables[name], rows]) if name in tables else rows
    every = (_numbered(name, table) for name, table in tables.items() if len(table))
    return {label.name: label for label in every if label}


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


def _intervals(
    rows: Sequence[pd.DataFrame], period_s: float, max_gap_s: float
) -> dict[str, pd.DataFrame]:
    """Return a table of intervals (equipment_id, start, end, label) for each label column.

    An interval ends where the label changes, or where no row comes for longer than `max_gap_s`.
    """
    if not rows:
        return {}
    whole = pd.concat(rows).sort_values([EQUIPMENT, TIMESTAMP], ignore_index=True)
    tables: defaultdict[str, pd.DataFrame] = defaultdict(pd.DataFrame)
    for column in (str(name) for name in whole if str(name).startswith(LABEL)):
        name = column.removeprefix(LABEL)
        known = whole.dropna(subset=column)
        machine, value = known[EQUIPMENT], known[column]
        other = (machine != machine.shift()) | (value != value.shift())
        later = known[TIMESTAMP].diff() > pd.Timedelta(seconds=max_gap_s)
        number = (other | later).cumsum()
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


def _numbered(name: str, table: pd.DataFrame) -> Label | None:
    """Replace texts by numbers, what sounds healthy by 0; None: a split with unknown parts."""
    values = table[name]
    if name in SPLITS:
        parts = values.astype(str).str.strip().str.lower().map(_PARTS)
        return None if parts.isna().any() else Label(table.assign(**{name: parts}))
    if pd.api.types.is_bool_dtype(values):
        return Label(table.assign(**{name: values.astype(int)}))
    if pd.api.types.is_numeric_dtype(values):
        return Label(table)
    texts = sorted(map(str, values.unique()), key=lambda text: (text.lower() not in _HEALTHY, text))
    codes = {text: code for code, text in enumerate(texts)}
    healthy = 0.0 if texts[0].lower() in _HEALTHY else None
    names = {float(code): text for text, code in codes.items()}
    return Label(table.assign(**{name: values.astype(str).map(codes)}), names, healthy)
