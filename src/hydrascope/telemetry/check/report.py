"""What was found in a folder, as tables for people and as one JSON object for machines."""

import json
from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from hydrascope.schemas import SensorSpec
from hydrascope.telemetry.check.examine import Examination
from hydrascope.telemetry.check.findings import Finding, Severity
from hydrascope.telemetry.check.labels import LabelledTime, labelled_time
from hydrascope.telemetry.folder.statistics import SensorStatistics

_STYLE = {Severity.STOPS: "bold red", Severity.HARMS: "yellow", Severity.NOTE: "dim"}

_ALWAYS = ("samples", "Hz (declared)", "missing", "min", "median", "max")
"""Columns that stand in every table."""

_Sensors = dict[str, tuple[SensorStatistics | None, SensorSpec | None]]


def as_json(found: Examination, said: Sequence[Finding]) -> str:
    """Return what was found as JSON.

    `{ok, machines: {id: {sensor: {...}}}, labels: [{label, value, machines, hours}], findings:
    [{severity, subject, message}]}`.
    """
    machines = {
        machine: {
            sensor: {
                "unit": spec.unit if spec else None,
                "declared_rate_hz": spec.rate_hz if spec else None,
                "recorded": told.model_dump() if told else None,
            }
            for sensor, (told, spec) in sensors.items()
        }
        for machine, sensors in _by_machine(found).items()
    }
    listed = [{**each.model_dump(), "severity": each.severity.name.lower()} for each in said]
    labels = [each._asdict() for each in labelled_time(found.labels)]
    report = {"ok": trainable(said), "machines": machines, "labels": labels, "findings": listed}
    return json.dumps(report, indent=2)


def trainable(said: Sequence[Finding]) -> bool:
    """Whether nothing was found that would stop a training."""
    return all(each.severity is not Severity.STOPS for each in said)


def print_report(console: Console, found: Examination, said: Sequence[Finding]) -> None:
    """Print a table for each machine, one of the labels, then the findings, worst first."""
    for machine, sensors in _by_machine(found).items():
        console.print(_table(machine, sensors, known=machine in found.machines))
    if times := labelled_time(found.labels):
        console.print(_labels(times))
    for each in said:
        subject = f"{escape(each.subject)}: " if each.subject else ""
        word = each.severity.name.lower()
        style = _STYLE[each.severity]
        console.print(f"[{style}]{word:6}[/] {subject}{escape(each.message)}", soft_wrap=True)
    if not said:
        console.print("Nothing is wrong with this folder.")


def _by_machine(found: Examination) -> dict[str, _Sensors]:
    """Return every sensor that was recorded or declared."""
    machines: dict[str, _Sensors] = {
        name: {
            spec.id: (found.sensors.get((name, spec.id)), spec)
            for _, spec in machine.topology.sensors
        }
        for name, machine in found.machines.items()
    }
    for (name, sensor), told in found.sensors.items():
        machines.setdefault(name, {}).setdefault(sensor, (told, None))
    return machines


def _table(machine: str, sensors: _Sensors, *, known: bool) -> RenderableType:
    recorded = [told for told, _ in sensors.values() if told is not None]
    first = min((told.first for told in recorded if told.first), default=None)
    last = max((told.last for told in recorded if told.last), default=None)
    title = escape(machine) + ("" if known else " (no machine file)")
    if first and last:
        title += f": {first[:19]} to {last[:19]} UTC"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    rows = {sensor: _cells(told, spec) for sensor, (told, spec) in sensors.items()}
    table.add_column("sensor", no_wrap=True)
    # What is nowhere wrong needs no column: the table must fit into a terminal.
    shown = [
        name
        for name in next(iter(rows.values()))
        if name in _ALWAYS or any(cells[name] not in ("", "–") for cells in rows.values())
    ]
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for sensor, cells in rows.items():
        table.add_row(escape(sensor), *(cells[name] for name in shown))
    return table


def _labels(times: Sequence[LabelledTime]) -> RenderableType:
    table = Table(title="labels", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("label", "value", "machines", "hours"):
        table.add_column(name, justify="left" if name == "label" else "right", no_wrap=True)
    for each in times:
        table.add_row(
            escape(each.label), escape(each.value), f"{each.machines}", f"{each.hours:.4g}"
        )
    return table


def _cells(told: SensorStatistics | None, spec: SensorSpec | None) -> dict[str, str]:
    declared = f" ({spec.rate_hz:g})" if spec else ""
    return {
        "samples": "0" if told is None else f"{told.samples:,}",
        "Hz (declared)": (f"{told.rate_hz:.4g}" if told and told.rate_hz else "–") + declared,
        "gaps": _count(told.gaps if told else 0),
        "longest": _duration(told.longest_gap_s if told else 0),
        "missing": "100%" if told is None else _share(told.missing),
        "bad": "" if told is None else _share(told.bad_quality / max(told.samples, 1)),
        "outside": "" if told is None else _share(told.out_of_range / max(told.samples, 1)),
        "min": _number(told.minimum if told else None),
        "median": _number(told.median if told else None),
        "max": _number(told.maximum if told else None),
        "unit": spec.unit if spec else "",
        "constant": _duration(told.longest_constant_s if told else 0),
        "repeated": _count(told.duplicates if told else 0),
        "unsorted": _count(told.unsorted if told else 0),
    }


def _count(number: int) -> str:
    return f"{number:,}" if number else "–"


def _share(share: float) -> str:
    return f"{share:.1%}" if share else "–"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _duration(seconds: float) -> str:
    """Return a length of time in its largest fitting unit."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:g} s" if seconds else "–"
