"""Times as people write them: with the day or the month first, with or without a zone."""

import re
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.folder.timestamps import to_microseconds

_DATE = re.compile(r"(?P<one>\d{1,2})(?P<sign>[./-])(?P<other>\d{1,2})(?P=sign)(?P<year>\d{2,4})")
_LENGTH = 10
"""The most characters of such a date."""
_OFFSET = r"\d:\d.*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)\s*$"
"""The end of a time with a zone."""


class DateOrder(NamedTuple):
    """Whether dates have their day or their month first."""

    day_first: bool
    guessed: str | None
    """What an example was taken for; None: only one order is possible."""


def date_order(texts: Iterable[pd.Series]) -> DateOrder:
    """Return the order of the dates of a folder, which are all read alike.

    Where both orders are possible, dates with full stops have their day first. Others have the
    order in which they span less time, or the month first if that is the same.

    Args:
        texts: Columns of times.

    Raises:
        SpecError: Neither order fits all dates.
    """
    found: dict[str, re.Match[str]] = {}
    for column in texts:
        for text in column.dropna().astype(str).str.strip().str[:_LENGTH].unique():
            if (date_of := _DATE.match(text)) is not None:
                found.setdefault(date_of[0], date_of)
    dates = list(found.values())
    day = next((each for each in dates if int(each["one"]) > 12), None)
    month = next((each for each in dates if int(each["other"]) > 12), None)
    if day is not None and month is not None:
        raise SpecError(
            f"dates have the day first, as in {day[0]}, and the month first, as in {month[0]}; "
            "expected one order in all files"
        )
    if day is not None or month is not None or not dates:
        return DateOrder(day is not None, None)
    shown = next((each for each in dates if each["one"] != each["other"]), None)
    if shown is None:  # such as 01/01/2026 alone
        return DateOrder(False, None)
    spans = {day_first: _span(dates, day_first) for day_first in (False, True)}
    day_first = shown["sign"] == "." or spans[True] < spans[False]
    return DateOrder(day_first, f"{shown[0]} is {_read(shown, day_first):%d %B %Y}")


def read_times(column: pd.Series, name: str, time_zone: str, day_first: bool) -> pd.Series:
    """Return times in UTC.

    Args:
        column: Texts or timestamps.
        name: Of the column, for messages.
        time_zone: Zone of times without one.
        day_first: Whether dates such as 02/01/2026 have their day first.

    Raises:
        SpecError: A text is no time, some have a zone and others have none, or a time is missing
            or comes twice where clocks change.
    """
    utc = False
    if not pd.api.types.is_datetime64_any_dtype(column):
        zoned = column.dropna().astype(str).str.contains(_OFFSET)
        utc = bool(len(zoned)) and bool(zoned.all())  # offsets may change, as with summer time
        if zoned.any() and not utc:
            other = column.dropna()[~zoned].iloc[0]
            raise SpecError(f"{name}: {other!r} has no zone, but others have; expected it for all")
    try:
        times = pd.to_datetime(column, format="ISO8601", utc=utc)
    except ValueError:
        try:
            times = pd.to_datetime(column, format="mixed", dayfirst=day_first, utc=utc)
        except ValueError as error:
            raise SpecError(f"{name}: {str(error).splitlines()[0]}") from None
    if times.isna().any():
        raise SpecError(f"{name}: empty in a row; expected a time in every row")
    if times.dt.tz is not None:
        return times.dt.tz_convert("UTC")
    time_us = to_microseconds(pa.Array.from_pandas(times), name, time_zone)
    return pd.Series(pd.DatetimeIndex(time_us.view("datetime64[us]"), tz="UTC"), column.index)


def _read(text: re.Match[str], day_first: bool) -> date:
    one, other, year = int(text["one"]), int(text["other"]), int(text["year"])
    day, month = (one, other) if day_first else (other, one)
    return date(year + 2000 if year < 100 else year, month, day)


def _span(dates: list[re.Match[str]], day_first: bool) -> int:
    """Return the days from the first to the last date."""
    read = [_read(each, day_first) for each in dates]
    return (max(read) - min(read)).days
