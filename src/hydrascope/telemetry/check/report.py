"""Reports on a folder, as tables for people or as one JSON object for machines."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from rich import box
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from hydrascope.schemas import SensorSpec
from hydrascope.telemetry.check.examine import Examination
from hydrascope.telemetry.check.findings import folded
from hydrascope.telemetry.check.labels import LabelledTime, labelled_time
from hydrascope.telemetry.check.sensor_findings import Finding, Severity
from hydrascope.telemetry.folder.statistics import SensorStatistics, merged
from hydrascope.telemetry.time_words import TimeWords

_STYLE = {Severity.STOPS: "bold red", Severity.HARMS: "yellow", Severity.NOTE: "dim"}

_RATE = "rate (declared)"
_ALWAYS = ("samples", _RATE, "missing", "min", "median", "max")
"""The columns of every table."""

_MOST_TABLES = 10
"""The most machines that have a table each."""

_Sensors = dict[str, tuple[SensorStatistics | None, SensorSpec | None]]


def as_json(found: Examination, findings: Sequence[Finding]) -> str:
    """Return the report as JSON.

    `{ok, machines: {id: {sensor: {...}}}, labels: [{label, value, machines, hours}], findings:
    [{severity, subject, message}]}`.
    """
    machines = {
        machine: {
            sensor: {
                "unit": spec.unit if spec else None,
                "declared_rate_hz": spec.rate_hz if spec else None,
                "recorded": stats.model_dump() if stats else None,
            }
            for sensor, (stats, spec) in sensors.items()
        }
        for machine, sensors in _by_machine(found).items()
    }
    listed = [{**each._asdict(), "severity": each.severity.name.lower()} for each in findings]
    labels = [each._asdict() for each in labelled_time(found.labels)]
    report = {"ok": trainable(findings), "machines": machines, "labels": labels, "findings": listed}
    return json.dumps(report, indent=2)


def trainable(findings: Sequence[Finding]) -> bool:
    """Return whether no finding would stop a training."""
    return all(each.severity is not Severity.STOPS for each in findings)


def print_report(console: Console, found: Examination, findings: Sequence[Finding]) -> None:
    """Print a table for each machine, a table of the labels, and the findings, worst first.

    Many machines have one table for each build, and many findings of a kind have one line.
    """
    for title, sensors in _tables(found).items():
        console.print(_table(title, sensors, found.words))
    if times := labelled_time(found.labels):
        console.print(_labels(times, found.words))
    shown = folded(findings)
    for each in shown:
        subject = f"{escape(each.subject)}: " if each.subject else ""
        word = each.severity.name.lower()
        style = _STYLE[each.severity]
        console.print(f"[{style}]{word:6}[/] {subject}{escape(each.message)}", soft_wrap=True)
    if len(shown) < len(findings):
        console.print(f"--json lists all {len(findings):,} findings one by one.")
    if not findings:
        console.print("Nothing is wrong with this folder.")


def _tables(found: Examination) -> dict[str, _Sensors]:
    """Return the sensors of each machine, or of each build if there are many, by title."""
    machines = _by_machine(found)
    if len(machines) <= _MOST_TABLES:
        unknown = " (no machine file)"
        return {name + unknown * (name not in found.machines): machines[name] for name in machines}
    builds: defaultdict[str, list[_Sensors]] = defaultdict(list)
    for name, sensors in machines.items():
        known = found.machines.get(name)
        builds[known.topology.id if known else "no machine file"].append(sensors)
    return {f"{build}, {len(each)} machines": _together(each) for build, each in builds.items()}


def _together(machines: Sequence[_Sensors]) -> _Sensors:
    """Return the sensors of several machines with their statistics merged."""
    together: _Sensors = {}
    for name in dict.fromkeys(name for sensors in machines for name in sensors):
        every = [sensors[name] for sensors in machines if name in sensors]
        together[name] = merged([stats for stats, _ in every if stats]), every[0][1]
    return together


def _by_machine(found: Examination) -> dict[str, _Sensors]:
    """Return all recorded or declared sensors by equipment id and sensor id."""
    machines: dict[str, _Sensors] = {
        name: {
            spec.id: (found.sensors.get((name, spec.id)), spec)
            for _, spec in machine.topology.sensors
        }
        for name, machine in found.machines.items()
    }
    for (name, sensor), stats in found.sensors.items():
        if stats.samples:  # other columns hold texts
            machines.setdefault(name, {}).setdefault(sensor, (stats, None))
    return machines


def _table(title: str, sensors: _Sensors, words: TimeWords) -> RenderableType:
    recorded = [stats for stats, _ in sensors.values() if stats is not None]
    first = min((stats.first for stats in recorded if stats.first), default=None)
    last = max((stats.last for stats in recorded if stats.last), default=None)
    title = escape(title)
    if first and last:
        title += f": {words.range(*map(datetime.fromisoformat, (first, last)))}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    rows = {sensor: _cells(stats, spec, words) for sensor, (stats, spec) in sensors.items()}
    table.add_column("sensor", no_wrap=True)
    # To fit into a terminal, the table omits columns in which nothing is wrong.
    shown = [
        name
        for name in next(iter(rows.values()))
        if name in _ALWAYS or any(cells[name] not in ("", "–") for cells in rows.values())
    ]
    for name in shown:
        shown_name = name.replace("rate", words.rate) if name == _RATE else name
        table.add_column(shown_name, justify="right", no_wrap=True)
    for sensor, cells in rows.items():
        table.add_row(escape(sensor), *(cells[name] for name in shown))
    return table


def _labels(times: Sequence[LabelledTime], words: TimeWords) -> RenderableType:
    table = Table(title="labels", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("label", "value", "machines", words.labelled):
        table.add_column(name, justify="left" if name == "label" else "right", no_wrap=True)
    for each in times:
        time = words.labelled_time(each.hours)
        table.add_row(escape(each.label), escape(each.value), f"{each.machines}", time)
    return table


def _cells(
    stats: SensorStatistics | None, spec: SensorSpec | None, words: TimeWords
) -> dict[str, str]:
    declared = f" ({spec.rate_hz:g})" if spec else ""
    return {
        "samples": "0" if stats is None else f"{stats.samples:,}",
        _RATE: (f"{stats.rate_hz:.4g}" if stats and stats.rate_hz else "–") + declared,
        "gaps": _count(stats.gaps if stats else 0),
        "longest": words.duration(stats.longest_gap_s if stats else 0) or "–",
        "missing": "100%" if stats is None else _share(stats.missing),
        "bad": "" if stats is None else _share(stats.bad_quality / max(stats.samples, 1)),
        "outside": "" if stats is None else _share(stats.out_of_range / max(stats.samples, 1)),
        "min": _number(stats.minimum if stats else None),
        "median": _number(stats.median if stats else None),
        "max": _number(stats.maximum if stats else None),
        "unit": spec.unit if spec else "",
        "constant": words.duration(stats.longest_constant_s if stats else 0) or "–",
        "repeated": _count(stats.duplicates if stats else 0),
        "unsorted": _count(stats.unsorted if stats else 0),
    }


def _count(number: int) -> str:
    return f"{number:,}" if number else "–"


def _share(share: float) -> str:
    return f"{share:.1%}" if share else "–"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
