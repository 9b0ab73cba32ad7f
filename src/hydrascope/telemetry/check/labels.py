"""The hours during which each label had each value."""

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
    tables = {name: table for name, table in labels.items() if len(table)}
    if not tables:
        return []
    whole = pd.concat(tables, names=["machine"]).reset_index("machine")
    whole["hours"] = (whole.pop("end") - whole.pop("start")).dt.total_seconds() / 3600
    found: list[LabelledTime] = []
    for column in whole.columns.drop(["machine", "hours"]):
        rows = whole[["machine", "hours"]].assign(value=whole[column])
        found += _values(str(column), rows.dropna(subset="value"))
    return found


def _values(label: str, rows: pd.DataFrame) -> Iterator[LabelledTime]:
    numeric = pd.api.types.is_numeric_dtype(rows["value"])
    if rows["value"].nunique() > _MANY:
        ends = f"{rows['value'].min():g} to {rows['value'].max():g}" if numeric else "many"
        yield LabelledTime(label, ends, rows["machine"].nunique(), float(rows["hours"].sum()))
        return
    for value, found in rows.groupby("value"):
        text = f"{value:g}" if numeric else str(value)
        yield LabelledTime(label, text, found["machine"].nunique(), float(found["hours"].sum()))
