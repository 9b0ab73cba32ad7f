"""Formatting of numbers for readers."""

from collections.abc import Sequence

_IN_PERCENT = (
    "accuracy",
    "macro_f1",
    "precision",
    "recall",
    "f1",
    "average_precision",
    "top1",
    "top1_strict",
    "false_alarm_rate",
    "missed_alarm_rate",
)


def format_metric(value: float | None, name: str) -> str:
    """Return a metric as text: in percent if it is a share; a dash for None."""
    if value is None:
        return "–"
    return f"{100 * value:.2f} %" if name in _IN_PERCENT else f"{value:.4g}"


def format_range(interval: Sequence[float] | None, name: str) -> str:
    """Return an interval as text, in percent if the metric is a share; empty for None."""
    if interval is None:
        return ""
    low, high = interval
    if name in _IN_PERCENT:
        return f"{100 * low:.1f} to {100 * high:.1f}"
    return f"{low:.3g} to {high:.3g}"


def shown_name(identifier: str) -> str:
    """Return an identifier as people write it: `main_pump` is "Main pump"; `PS1` stays."""
    words = identifier.replace("_", " ")
    return words[:1].upper() + words[1:]


def significant(value: float) -> float:
    """Return a number rounded to four significant digits."""
    return float(f"{value:.4g}")
