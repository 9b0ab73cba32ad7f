"""The page's section on missing sensors: a text made from the numbers, and a shaded table."""

from collections.abc import Mapping
from typing import Any

from hydrascope.evaluation.page.numbers import format_metric

_DARKEST = 0.6
"""The opacity of the darkest shade, which belongs to the lowest value; text stays readable."""

Report = Mapping[str, Any]
"""The output of `missing_report.missing_report`."""


def in_words(report: Report) -> str:
    """Describe in a few sentences the effect of missing sensors."""
    one, everything, pairs = report["summary"], report["all"], report["pairs"]
    if one["mean"] is None:
        return "No test window with a label is left to judge by."
    count = one["situations"]
    sentences = [
        f"With any one of {count} sensors missing, {_named(report)} is {_mean(report, one)} on "
        f"average ({_mean(report, everything)} with all of them), and lowest for "
        f"{_worst(report, one)}."
    ]
    if one["wrong_confidence"] is not None:
        before = everything["wrong_confidence"]
        added = "" if before is None else f" ({before:.2f} with all sensors)"
        sentences.append(
            f"Wrong answers are then given with a mean confidence of {one['wrong_confidence']:.2f}"
            f"{added}."
        )
    if one["ece"] is not None:
        sentences.append(
            f"The calibration error is {one['ece']:.3f} ({everything['ece']:.3f} with all sensors)."
        )
    if pairs["reason"]:
        sentences.append(f"Pairs were not tried: {pairs['reason']}.")
    else:
        of = f" of {pairs['of']}" if pairs["of"] > pairs["situations"] else ""
        sentences.append(
            f"With any two missing ({pairs['situations']}{of} pairs) it is {_mean(report, pairs)} "
            f"on average, and lowest for {_worst(report, pairs)}."
        )
    return " ".join(sentences)


def missing_section(report: Report) -> dict[str, Any]:
    """Return the text, and for each build a table of cells that are shaded by value."""
    builds: dict[str, list[dict[str, Any]]] = {}
    values = [cell["value"] for row in report["sensors"] for cell in row["heads"].values()]
    lowest = min((value for value in values if value is not None), default=1.0)

    def shown(sensor: str, heads: Report) -> dict[str, Any]:
        metrics = report["metrics"].items()
        cells = [_shaded(heads.get(head), metric, lowest) for head, metric in metrics]
        return {"sensor": sensor, "cells": cells}

    for row in report["sensors"]:
        builds.setdefault(row["build"], []).append(shown(row["sensor"], row["heads"]))
    return {
        "said": in_words(report),
        "first": shown("none missing", report["none"]),
        "builds": builds,
        "columns": report["metrics"],
        "windows": report["windows"],
    }


def _shaded(cell: Report | None, metric: str, lowest: float) -> dict[str, str]:
    """Return a cell's text and the opacity of its shade: 0 at value 1, strongest at `lowest`."""
    if cell is None or cell["value"] is None:
        return {"text": "–", "shade": "0", "wrong": ""}
    share = (1.0 - cell["value"]) / (1.0 - lowest) if lowest < 1.0 else 0.0
    confidence = cell["wrong_confidence"]
    return {
        "text": format_metric(cell["value"], metric),
        "shade": f"{_DARKEST * min(1.0, max(0.0, share)):.2f}",
        "wrong": "" if confidence is None else f"wrong at {confidence:.2f}",
    }


def _metric(report: Report) -> str:
    """Return the name of the heads' primary metric; empty if they differ."""
    names = set(report["metrics"].values())
    return names.pop() if len(names) == 1 else ""


def _named(report: Report) -> str:
    name = _metric(report)
    return f"the {name.replace('_', ' ')}" if name else "the main metric of each target"


def _mean(report: Report, found: Report) -> str:
    return format_metric(found["mean"], _metric(report))


def _worst(report: Report, found: Report) -> str:
    """Describe the lowest value; a sensor is named with its build if there are several builds."""
    worst, builds = found["worst"], {row["build"] for row in report["sensors"]}
    names = worst["missing"]
    if len(builds) == 1:
        names = [name.rpartition("/")[2] for name in names]
    value = format_metric(worst["value"], report["metrics"][worst["head"]])
    return f"{worst['head']} without {' and '.join(names)} ({value})"
