"""Detection in words: a table of all detectors, and what a reader has to know about thresholds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.table import Table

from hydrascope.evaluation.blame_report import blame_lines
from hydrascope.evaluation.hourly_alarms import hourly_line, hourly_rate
from hydrascope.evaluation.machine_spread import spread_remarks


def detection_table(title: str, reports: Mapping[str, Mapping[str, Any]]) -> Table:
    """Show each detector's alarms by window, event and row, and how well it finds each fault."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in reports:
        table.add_column(name, justify="right")
    every = list(reports.values())
    if any(any(each["not_scored"].values()) for each in every):
        missing = (each["not_scored"] for each in every)
        table.add_row(
            "not scored",
            *(f"{each['healthy']} healthy, {each['unhealthy']} unhealthy" for each in missing),
        )
    table.add_row("false alarms", *(_alarms(each["false_alarms"]) for each in every))
    if every[0].get("hourly"):
        table.add_row("false alarms begun", *(hourly_rate(each["hourly"]) for each in every))
    for fault, found in every[0]["faults"].items():
        cells = [_found(each["faults"].get(fault)) for each in every]
        table.add_row(f"{fault} ({found['windows']})", *cells)
    if count := every[0]["events"]["count"]:
        shares = (("missed alarms", "missed_alarm_rate"), ("precision", "precision"), ("F1", "f1"))
        for shown, key in shares:
            table.add_row(shown, *(_percent(each["overall"][key]) for each in every))
        detected = (str(each["events"]["detected"]) for each in every)
        table.add_row(f"events detected ({count})", *detected)
        delays = (each["events"]["median_delay_s"] for each in every)
        table.add_row("median delay", *("–" if s is None else f"{s:g} s" for s in delays))
    by_row = [each["rows"]["overall"] for each in every if "rows" in each]
    if len(by_row) == len(every) and every[0]["rows"]["unhealthy"]:
        named = {
            "false_alarm_rate": "false alarms",
            "missed_alarm_rate": "missed alarms",
            "f1": "F1",
        }
        for key, shown in named.items():
            table.add_row(f"{shown} by row", *(_percent(each[key]) for each in by_row))
        areas = (each["auroc"] for each in by_row)
        table.add_row("AUROC by row", *("–" if a is None else f"{a:.3f}" for a in areas))
    return table


def _alarms(alarms: Mapping[str, Any]) -> str:
    if alarms["rate"] is None:
        return "–"
    low, high = alarms["interval"]
    return f"{100 * alarms['rate']:.1f} % ({100 * low:.0f}–{100 * high:.0f})"


def _found(fault: Mapping[str, Any] | None) -> str:
    if fault is None:
        return "–"
    auroc = "–" if fault["auroc"] is None else f"{fault['auroc']:.3f}"
    return f"{auroc}, {100 * fault['detected']:.0f} %"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def normality_lines(report: Mapping[str, Any]) -> list[str]:
    """Return what a reader has to know about a network's thresholds, one line each.

    Args:
        report: Of `detection`, with `differing_machines`; of an evaluation also `blame` and, if it
            set the thresholds anew, `thresholds_reset`.
    """
    hourly = report.get("hourly")
    said = hourly_line(hourly) if hourly else promise(report["false_alarms"])
    lines = [said, *spread_remarks(report["differing_machines"])]
    if new := report.get("new_operating_points"):
        lines.append(
            f"Normality: {new} test windows are at a new operating point, unlike all that was "
            "learned, and have no score"
        )
    lines += blame_lines(report.get("blame"))
    if reset := report.get("thresholds_reset"):
        pairs = reset.items()
        changes = (f"{key} {_said(now)} instead of {_said(then)}" for key, (then, now) in pairs)
        lines.append(
            "Normality: thresholds were set anew on the held-out windows, with "
            f"{', '.join(changes)}. They are not those of the checkpoint"
        )
    return lines


def promise(alarms: Mapping[str, Any]) -> str:
    """Return one line on the false-alarm rate that the held-out windows can guarantee.

    Args:
        alarms: The `false_alarms` of `detection`.
    """
    requested, resolved, unit = alarms["asked"], alarms["resolved"], alarms["unit"]
    if resolved is None:
        return _assumed(alarms)
    line = f"Normality: {alarms['held_out']} held-out healthy {unit} {_of_each(alarms)}"
    line += f"{_worth(alarms)}; "
    if resolved <= requested:
        return line + f"requested false-alarm rate: {100 * requested:g} %"
    needed = int(np.ceil(round(1 / requested - 1, 9)))
    return line + (
        f"they resolve a false-alarm rate of {100 * resolved:.2g} % at best; the requested "
        f"{100 * requested:g} % takes {needed}"
    )


def _assumed(alarms: Mapping[str, Any]) -> str:
    """Return the line for a rule that promises nothing."""
    assumed = {
        "quantile": f"the held-out {alarms['unit']} are all that there will be",
        "sigma": "scores are normally distributed",
        "gamma": "scores are gamma distributed",
    }[alarms["rule"]]
    return (
        f"Normality: {alarms['held_out_windows']} held-out healthy windows of "
        f"{alarms['held_out']} {alarms['unit']} {_of_each(alarms)} by the rule {alarms['rule']}; "
        f"the requested false-alarm rate of {100 * alarms['asked']:g} % holds if {assumed}, and is "
        "not a promise"
    )


def _of_each(alarms: Mapping[str, Any]) -> str:
    return (
        "or more of each machine set its threshold"
        if alarms["threshold_by"] == "machine"
        else "set the threshold"
    )


def _said(value: float | str | None) -> str:
    if value is None:
        return "null"
    return value if isinstance(value, str) else f"{value:g}"


def _worth(alarms: Mapping[str, Any]) -> str:
    """Describe in brackets how the held-out windows lie in time; empty if all stand alone."""
    windows, notes = alarms["held_out_windows"], []
    if alarms["unit"] == "windows" and windows - alarms["sharing"] > alarms["held_out"]:
        notes.append(f"that is what {windows} windows are worth that share samples")
    if alarms["sharing"]:
        notes.append(f"{alarms['sharing']} that share samples with training windows do not count")
    if alarms["adjoining"]:
        notes.append(
            f"{alarms['adjoining']} of {windows} windows adjoin training windows, and healthy "
            "windows of other times may raise more alarms"
        )
    return f" ({'; '.join(notes)})" if notes else ""
