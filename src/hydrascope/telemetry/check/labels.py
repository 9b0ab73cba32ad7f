"""The hours during which each label had each value."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd

_MANY = 12
"""The most values of a label that are listed; beyond, only lowest and highest are."""


class LabelledTime(NamedTuple):
    """One value of one label, over all machines."""

    label: str
    value: str
    machines: int
    hours: float


def labelled_time(labels: Mapping[str, pd.DataFrame]) -> list[LabelledTime]:
    """Return the time of each value; labels with many values are summarised in one entry."""
    tables: defaultdict[str, list[pd.DataFrame]] = defaultdict(list)
    for machine, table in labels.items():
        hours = (table["end"] - table["start"]).dt.total_seconds() / 3600 if len(table) else 0.0
        for column in table.columns.drop(["start", "end"]):
            part = pd.DataFrame({"value": table[column], "hours": hours, "machine": machine})
            tables[str(column)].append(part.dropna(subset="value"))
    return [each for name, parts in tables.items() for each in _values(name, pd.concat(parts))]


def _values(label: str, rows: pd.DataFrame) -> Iterator[LabelledTime]:
    numeric = pd.api.types.is_numeric_dtype(rows["value"])
    if rows["value"].nunique() > _MANY:
        ends = f"{rows['value'].min():g} to {rows['value'].max():g}" if numeric else "many"
        yield LabelledTime(label, ends, rows["machine"].nunique(), float(rows["hours"].sum()))
        return
    for value, found in rows.groupby("value"):
        text = f"{value:g}" if numeric else str(value)
        yield LabelledTime(label, text, found["machine"].nunique(), float(found["hours"].sum()))
