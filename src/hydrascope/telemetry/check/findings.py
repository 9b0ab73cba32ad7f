"""Findings: what the statistics of a folder mean for a training, and the remedies."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from hydrascope.schemas.errors import closest
from hydrascope.telemetry.check.examine import Examination
from hydrascope.telemetry.check.label_findings import label_findings
from hydrascope.telemetry.check.names import alike, other_unit, remedy
from hydrascope.telemetry.check.sensor_findings import Finding, Severity, sensor_findings

_MOST_ALIKE = 3
"""The most findings of one kind that are listed one by one."""
_REFUSED = "refused"
"""The kind of what cannot be read. Each is listed, since each has a remedy of its own."""


def findings(found: Examination, window_s: float | None = None) -> list[Finding]:
    """Return all findings, worst first; with `window_s`, also which machines are shorter."""
    every = [
        *(Finding(Severity.STOPS, _REFUSED, "", fault) for fault in found.refused),
        *_machine_findings(found),
        *_short_machines(found, window_s),
        *_label_findings(found),
        *_alias_findings(found),
        *_all_sensor_findings(found),
        *_row_findings(found),
        *_file_findings(found),
    ]
    return sorted(every, key=lambda each: each.severity)


def folded(every: Sequence[Finding]) -> list[Finding]:
    """Return the findings with those of one kind in one, if there are many; refusals stay."""
    kinds: defaultdict[tuple[Severity, str], list[Finding]] = defaultdict(list)
    for each in every:
        kinds[each.severity, each.kind].append(each)
    result: list[Finding] = []
    for (severity, kind), found in kinds.items():
        if len(found) <= _MOST_ALIKE or kind == _REFUSED:
            result += found
            continue
        machines = len({each.subject.partition("/")[0] for each in found if each.subject})
        of_machines = f" in {machines} machines" if machines else ""
        counted = f"{kind}, {len(found):,} times{of_machines}"
        result.append(Finding(severity, kind, counted, f"such as {found[0].line}"))
    return result


def _machine_findings(found: Examination) -> Iterator[Finding]:
    recorded = found.by_machine
    for name in sorted(set(recorded) - set(found.machines)) if found.machines else ():
        yield Finding(
            Severity.HARMS,
            "no machine file",
            _quoted(name),
            "no machine file: its telemetry is left alone; write one for it"
            f"{closest(name, [*found.machines])}",
        )
    for name, machine in found.machines.items():
        specs = {sensor.id: sensor for _, sensor in machine.topology.sensors}
        of_machine = recorded.get(name, {})
        stats = {sensor: of_machine.get(sensor) for sensor in specs}
        others = {sensor: each for sensor, each in of_machine.items() if sensor not in specs}
        unlisted = [sensor for sensor, each in others.items() if each.samples]
        absent = [sensor for sensor, each in stats.items() if each is None or not each.samples]
        renamed = alike(absent, unlisted)
        if not any(each is not None and each.first is not None for each in stats.values()):
            yield Finding(
                Severity.STOPS,
                "no good sample",
                name,
                "no good sample of any of its sensors; compare equipment_id, the sensors' ids, "
                f"ranges and units in files and machine file{remedy(renamed, specs)}",
            )
            continue
        if absent:
            listed = ", ".join(
                f"{each} (the files have {renamed[each]!r})" if each in renamed else each
                for each in absent
            )
            yield Finding(
                Severity.HARMS,
                "sensors never recorded",
                name,
                f"never recorded: {listed}; take them out of the machine file, or correct their "
                f"ids there or in the files{remedy(renamed, specs)}",
            )
        if unlisted:
            yield Finding(
                Severity.NOTE,
                "sensors not in the machine file",
                name,
                "not in the machine file and left alone: "
                f"{', '.join(map(_quoted, unlisted))}; add those that matter",
            )
        if no_numbers := [sensor for sensor, each in others.items() if not each.samples]:
            yield Finding(
                Severity.NOTE,
                "columns without numbers",
                name,
                f"without numbers and left alone: {', '.join(map(_quoted, no_numbers))}",
            )


def _short_machines(found: Examination, window_s: float | None) -> Iterator[Finding]:
    """Yield one finding that counts and names all machines that are shorter than a window."""
    if window_s is None:
        return
    brief = []
    for name, machine in found.machines.items():
        keys = [(name, sensor.id) for _, sensor in machine.topology.sensors]
        stats = [found.sensors[key] for key in keys if key in found.sensors]
        first = pd.to_datetime([each.first for each in stats if each.first], utc=True)
        last = pd.to_datetime([each.last for each in stats if each.last], utc=True)
        if len(first):
            period_s = max((1 / each.rate_hz for each in stats if each.rate_hz), default=0.0)
            duration_s = (last.max() - first.min()).total_seconds() + period_s
            if duration_s < window_s:
                brief.append(f"{name} ({duration_s:g} {found.words.second})")
    if brief:
        yield Finding(
            Severity.STOPS,
            "short machines",
            "",
            f"{len(brief)} of {len(found.machines)} machines are recorded for less than a window "
            f"of {window_s:g} {found.words.second}: {', '.join(brief)}; shorten it, or set "
            "data.window.short=skip or pad",
        )


def _label_findings(found: Examination) -> Iterator[Finding]:
    recorded = found.by_machine
    good = [
        name
        for name in found.machines
        if any(stats.first is not None for stats in recorded.get(name, {}).values())
    ]
    return label_findings(good, found.labels, found.words)


def _alias_findings(found: Examination) -> Iterator[Finding]:
    for name, machine in found.machines.items():
        specs = {sensor.id: sensor for _, sensor in machine.topology.sensors}
        for alias, sensor in machine.sensor_names.items():
            unit = other_unit(alias, specs[sensor])
            if unit and sensor not in found.units:
                yield Finding(
                    Severity.HARMS,
                    "aliases with another unit",
                    f"{name}/{sensor}",
                    f"the name {alias!r} says {unit}, the machine file {specs[sensor].unit}: if "
                    f"the files hold {unit}, name it in units (--unit here)",
                )


def _quoted(name: str) -> str:
    """Quote a name with what would not be seen."""
    return name if name and name.isprintable() and name.strip() == name else repr(name)


def _file_findings(found: Examination) -> Iterator[Finding]:
    for files, message in (
        (found.empty, "holds no row of telemetry; mend or delete it"),
        (
            found.unjudged,
            "has a column of quality flags, but no setting says which are good: all are taken; "
            "name the good ones in quality_accepted (--accept here)",
        ),
        (
            found.without_flags,
            "has no column of quality flags under a usual name: all its samples are taken; name "
            "the column in quality_column (--flags here)",
        ),
    ):
        if files:
            yield Finding(Severity.HARMS, "files", _and_more(files), message)
    for file in found.several_flags:
        used, spare = file.flags[0].name, ", ".join(map(repr, file.spare_flags))
        yield Finding(
            Severity.NOTE,
            "several columns of flags",
            str(file.path),
            f"the flags in {used!r} are used, those in {spare} are not; another column is named in "
            "quality_column (--flags here)",
        )
    reasons: defaultdict[tuple[str, bool], list[Path]] = defaultdict(list)
    for path, reason, may_be_telemetry in found.passed_over:
        reasons[reason, may_be_telemetry].append(path)
    for (reason, may_be_telemetry), files in reasons.items():
        severity = Severity.HARMS if may_be_telemetry else Severity.NOTE
        yield Finding(severity, "passed over", _and_more(files), f"passed over: {reason}")


def _and_more(files: Sequence[Path]) -> str:
    """Name the first file and count the others."""
    more = len(files) - 1
    return f"{files[0]}{f' and {more} more files' if more else ''}"


def _row_findings(found: Examination) -> Iterator[Finding]:
    for machine, sensors in found.by_machine.items():
        stats = sensors.values()
        if repeated := sum(each.duplicates for each in stats):
            message = f"{repeated:,} rows repeat an instant of a sensor; the last of each is taken"
            yield Finding(Severity.NOTE, "repeated rows", machine, message)
        if unsorted := sum(each.unsorted for each in stats):
            message = f"{unsorted:,} rows are out of order; files sorted by time are read faster"
            yield Finding(Severity.NOTE, "rows out of order", machine, message)


def _all_sensor_findings(found: Examination) -> Iterator[Finding]:
    for machine, sensors in found.by_machine.items():
        known = found.machines.get(machine)
        specs = {spec.id: spec for _, spec in known.topology.sensors} if known else {}
        for sensor, stats in sensors.items():
            if found.machines and sensor not in specs:
                continue
            for severity, kind, message in sensor_findings(stats, specs.get(sensor), found.words):
                yield Finding(severity, kind, f"{machine}/{sensor}", message)
