"""A model's detection of faults beside that of classical detectors, and who is ahead."""

from collections.abc import Mapping
from typing import Any

_SHARES = {
    "auroc": "AUROC",
    "f1": "F1",
    "false_alarm_rate": "false alarms",
    "missed_alarm_rate": "missed alarms",
}
_JUDGED = ("auroc", "f1")
"""The values by which a verdict is given; larger is better."""
_EQUAL = 4
"""The digits to which values are compared."""


def beside(reports: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values of `overall` of each detector, and verdicts in words.

    Args:
        reports: Detector → its `evaluation.detection.detection`, the model first.

    Returns:
        `columns`: the detectors. `rows`: for each value its name, what it is called, and its value
        for each detector. `verdicts`: as of `verdicts`.
    """
    rows = [
        {
            "metric": metric,
            "name": shown,
            "values": [report["overall"][metric] for report in reports.values()],
        }
        for metric, shown in _SHARES.items()
    ]
    return {"columns": list(reports), "rows": rows, "verdicts": verdicts(reports)}


def verdicts(reports: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say by which value and how far a classical detector is ahead of the model, one line each.

    If none is ahead, one line says so; without unhealthy windows or other detectors there is none.
    """
    lines, compared = [], False
    for metric in _JUDGED:
        values = {name: report["overall"][metric] for name, report in reports.items()}
        own, *others = values.values()
        known = {name: value for name, value in values.items() if value is not None}
        if own is None or not any(value is not None for value in others):
            continue
        compared = True
        best = max(known, key=lambda name: known[name])
        if round(known[best] - own, _EQUAL) > 0:
            lead = 100 * (known[best] - own)
            ahead = f"{best} is ahead of {next(iter(values))}"
            lines.append(f"{ahead} by {lead:.2f} points of {_SHARES[metric]}")
    if compared and not lines:
        shown = " and ".join(_SHARES[metric] for metric in _JUDGED)
        lines.append(f"No classical detector is ahead of {next(iter(reports))} in {shown}")
    return lines
