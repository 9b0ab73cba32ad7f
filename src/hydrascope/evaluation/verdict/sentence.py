"""A sentence of the verdict, and how its numbers are written."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from hydrascope.evaluation.page.numbers import format_metric, format_range, shown_name

_WORDS = {
    "r2": "R²",
    "f1": "F1",
    "macro_f1": "macro F1",
    "mae": "mean absolute error",
    "rmse": "RMSE",
    "auroc": "AUROC",
}
_LISTED = 4
"""Names that are listed one by one, at most."""
Report = Mapping[str, Any]
"""The content of evaluation.json, or a part of it."""


class Trust(StrEnum):
    """What a sentence says of the model."""

    TRUSTED = "trusted"
    DOUBTED = "doubted"
    UNKNOWN = "unknown"
    """The test windows cannot tell."""


class Sentence(NamedTuple):
    """One sentence of the verdict."""

    trust: Trust
    text: str


def measured(name: str, judged: Report) -> str:
    """Write a metric with its interval: `accuracy 98.20 % (96.1 to 99.5)`."""
    around = format_range(judged["interval"], name)
    value = format_metric(judged["value"], name)
    return f"{words(name)} {value}" + (f" ({around})" if around else "")


def words(name: str) -> str:
    """Return a metric's or a model's name as people write it."""
    return _WORDS.get(name, name.replace("_", " "))


def listed(names: Sequence[str]) -> str:
    """Join names: `a`, `a and b`, `a, b and c`; of many, the first ones and how many follow."""
    if len(names) > _LISTED:
        names = [*names[: _LISTED - 1], f"{len(names) - _LISTED + 1} more"]
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def question(name: str) -> str:
    """Return a question of a calibration as people write it: `Anomalies: flow restriction`."""
    head, _, label = name.partition(".")
    return f"{shown_name(head)}: {words(label)}" if label else shown_name(head)
