"""Numbers that are written as text, with a decimal point or comma and with marks of thousands."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

_SIGN, _POWER = r"[-+]?", r"(?:[eE][-+]?\d+)?"
_BLANK = " \u00a0\u202f'’"
"""What separates thousands beside points and commas."""


class NumberText(NamedTuple):
    """A column as numbers."""

    values: pd.Series
    """Float64; NaN where there is no number."""
    thousands: str | None = None
    """A number that was written with a mark of thousands."""
    both: tuple[str, str] | None = None
    """Two numbers, one with a decimal comma and one with a decimal point: it cannot be read."""


def numbers(column: pd.Series, decimal: str) -> NumberText:
    """Read a column as numbers, in the form that its own values show, or else with `decimal`."""
    if pd.api.types.is_numeric_dtype(column):
        return NumberText(column.astype("float64"))
    texts = column.dropna().astype(str).str.strip().replace({"True": "1", "False": "0"})
    shown = {sign: texts[texts.str.fullmatch(_certain(sign))] for sign in ",."}
    if len(shown[","]) and len(shown["."]):
        empty = pd.Series(float("nan"), index=column.index)
        return NumberText(empty, both=(shown[","].iloc[0], shown["."].iloc[0]))
    form = next((sign for sign, found in shown.items() if len(found)), decimal)
    texts = texts[texts.str.fullmatch(_form(form))]
    marked = texts[texts.str.contains(f"[{_marks(form)}]")]
    plain = texts.str.replace(f"[{_marks(form)}]", "", regex=True).str.replace(form, ".")
    values = pd.to_numeric(plain, errors="coerce").astype("float64").reindex(column.index)
    return NumberText(values, marked.iloc[0] if len(marked) else None)


def decimal_of(cells: Iterable[str]) -> str:
    """Return the decimal sign of a file's cells; where none is certain, a comma if there is any."""
    certain = {sign: re.compile(_certain(sign)) for sign in ",."}
    comma = re.compile(rf"{_SIGN}\d+,\d+{_POWER}")
    perhaps = False
    for cell in map(str.strip, cells):
        for sign, pattern in certain.items():
            if pattern.fullmatch(cell):
                return sign
        perhaps |= comma.fullmatch(cell) is not None
    return "," if perhaps else "."


def _marks(decimal: str) -> str:
    """Return the marks of thousands that go with a decimal sign, as the content of a class."""
    return _other(decimal) + _BLANK


def _other(decimal: str) -> str:
    return re.escape("." if decimal == "," else ",")


def _form(decimal: str) -> str:
    """Return the pattern of numbers with a decimal sign."""
    whole = rf"(?:\d{{1,3}}(?:[{_marks(decimal)}]\d{{3}})+|\d+)"
    return rf"{_SIGN}{whole}(?:{re.escape(decimal)}\d+)?{_POWER}"


def _certain(decimal: str) -> str:
    """Return the pattern of numbers that cannot be read with the other sign.

    Three digits after a sign may be thousands, unless a zero or four digits come before.
    """
    sign, mark = re.escape(decimal), f"[{_marks(decimal)}]"
    grouped = rf"\d{{1,3}}(?:{mark}\d{{3}})+{sign}\d+|\d{{1,3}}(?:{_other(decimal)}\d{{3}}){{2,}}"
    plain = rf"\d+{sign}(?:\d{{1,2}}|\d{{4,}})|0{sign}\d+|\d{{4,}}{sign}\d+"
    return rf"{_SIGN}(?:{grouped}|{plain}){_POWER}"
