"""Findings: what the statistics of a folder mean for a training, and the remedies."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from hydrascope.schemas import SensorSpec
from hydrascope.schemas.errors import closest
from hydrascope.telemetry.check.examine import Examination
from hydrascope.telemetry.check.names import alike, other_unit, remedy
from hydrascope.telemetry.check.short_machines import short_machines
from hydrascope.telemetry.folder.statistics import Extreme, SensorStatistics

_RATE_TOLERANCE = 0.05
_MANY_MISSING = 0.05
_FEW_OUTSIDE = 0.01
_LONG_CONSTANT = 0.2
"""The share of a recording during which one value may persist without a finding."""

_OFTEN = 2
"""The number of times from which an extreme value counts as repeated."""
_FAR, _FAR_MARK = 20.0, 3.0
"""The distance, in spreads, from which a repeated extreme is implausible: in general, and for the
values in `_MARKS`."""
_NINES = (99, 999, 9999, 99999, 999999, 99.99, 999.9, 999.99)
_ENDS = (32767, 3276.7, 327.67, 32768, 3276.8, 327.68, 65535, 6553.5, 655.35)
_MARKS = np.array([*_NINES, *_ENDS, 850, 1e10, 1e20, 1e30, 3.4028235e38])
"""Absolute values that devices and databases write for a missing value: nines, the limits of 16-bit
integers (also scaled), 850 of a disconnected Pt100 transmitter, the largest float."""


class Severity(IntEnum):
    """The severity of a finding, the worst first."""

    STOPS = 0
    """A training would stop, or would have nothing to learn from."""
    HARMS = 1
    """A training would run, but on less than was recorded or on wrong values."""
    NOTE = 2
    """For information."""


class Finding(BaseModel):
    """A problem and its remedy."""

    model_config = ConfigDict(frozen=True)

    severity: Severity
    subject: str
    """The file, machine or `machine/sensor`."""
    message: str

    @property
    def line(self) -> str:
        """Subject and message in one line."""
        return f"{self.subject}: {self.message}" if self.subject else self.message


def findings(found: Examination, window_s: float | None = None) -> list[Finding]:
    """Return all findings, worst first; with `window_s`, also which machines are shorter."""
    every = [
        *(_finding(Severity.STOPS, "", fault) for fault in found.refused),
        *_machine_findings(found),
        *(_finding(Severity.STOPS, "", each) for each in short_machines(found, window_s)),
        *_all_sensor_findings(found),
        *_row_findings(found),
        *_file_findings(found),
    ]
    return sorted(every, key=lambda each: each.severity)


def _finding(severity: Severity, subject: str, message: str) -> Finding:
    return Finding(severity=severity, subject=subject, message=message)


def _machine_findings(found: Examination) -> Iterator[Finding]:
    recorded = {machine for machine, _ in found.sensors}
    for name in sorted(recorded - set(found.machines)) if found.machines else ():
        yield _finding(
            Severity.HARMS,
            _quoted(name),
            "no machine file: its telemetry is left alone; write one for it"
            f"{closest(name, [*found.machines])}",
        )
    for name, machine in found.machines.items():
        specs = {sensor.id: sensor for _, sensor in machine.topology.sensors}
        stats = {sensor: found.sensors.get((name, sensor)) for sensor in specs}
        unlisted = [sensor for machine_, sensor in found.sensors if machine_ == name]
        unlisted = [sensor for sensor in unlisted if sensor not in specs]
        absent = [sensor for sensor, each in stats.items() if each is None or not each.samples]
        renamed = alike(absent, unlisted)
        if not any(each is not None and each.first is not None for each in stats.values()):
            yield _finding(
                Severity.STOPS,
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
            yield _finding(
                Severity.HARMS,
                name,
                f"never recorded: {listed}; take them out of the machine file, or correct their "
                f"ids there or in the files{remedy(renamed, specs)}",
            )
        for alias, sensor in machine.sensor_names.items():
            unit = other_unit(alias, specs[sensor])
            if unit and sensor not in found.units:
                yield _finding(
                    Severity.HARMS,
                    f"{name}/{sensor}",
                    f"the name {alias!r} says {unit}, the machine file {specs[sensor].unit}: if "
                    f"the files hold {unit}, name it in units (--unit here)",
                )
        if unlisted:
            yield _finding(
                Severity.NOTE,
                name,
                "not in the machine file and left alone: "
                f"{', '.join(map(_quoted, unlisted))}; add those that matter",
            )
        if not len(found.labels.get(name, ())):
            yield _finding(
                Severity.HARMS, name, "no labels: nothing can be learned from it; add a label file"
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
            yield _finding(Severity.HARMS, _and_more(files), message)
    for file in found.several_flags:
        used, spare = file.flags[0].name, ", ".join(map(repr, file.spare_flags))
        yield _finding(
            Severity.NOTE,
            str(file.path),
            f"the flags in {used!r} are used, those in {spare} are not; another column is named in "
            "quality_column (--flags here)",
        )
    reasons: defaultdict[tuple[str, bool], list[Path]] = defaultdict(list)
    for path, reason, may_be_telemetry in found.passed_over:
        reasons[reason, may_be_telemetry].append(path)
    for (reason, may_be_telemetry), files in reasons.items():
        severity = Severity.HARMS if may_be_telemetry else Severity.NOTE
        yield _finding(severity, _and_more(files), f"passed over: {reason}")


def _and_more(files: Sequence[Path]) -> str:
    """Name the first file and count the others."""
    more = len(files) - 1
    return f"{files[0]}{f' and {more} more files' if more else ''}"


def _row_findings(found: Examination) -> Iterator[Finding]:
    for machine in sorted({machine for machine, _ in found.sensors}):
        stats = [each for (name, _), each in found.sensors.items() if name == machine]
        if repeated := sum(each.duplicates for each in stats):
            message = f"{repeated:,} rows repeat an instant of a sensor; the last of each is taken"
            yield _finding(Severity.NOTE, machine, message)
        if unsorted := sum(each.unsorted for each in stats):
            message = f"{unsorted:,} rows are out of order; files sorted by time are read faster"
            yield _finding(Severity.NOTE, machine, message)


def _all_sensor_findings(found: Examination) -> Iterator[Finding]:
    for (machine, sensor), stats in found.sensors.items():
        specs = (
            {spec.id: spec for _, spec in found.machines[machine].topology.sensors}
            if machine in found.machines
            else {}
        )
        if found.machines and sensor not in specs:
            continue
        for severity, message in _sensor_findings(stats, specs.get(sensor)):
            yield _finding(severity, f"{machine}/{sensor}", message)


def _sensor_findings(
    stats: SensorStatistics, spec: SensorSpec | None
) -> Iterator[tuple[Severity, str]]:
    if spec is not None:
        yield from _against_machine_file(stats, spec)
    if stats.first is None:
        return
    if stats.missing > _MANY_MISSING and not (spec and _other_rate(stats, spec)):
        yield (
            Severity.HARMS,
            f"{stats.missing:.0%} of the samples are missing ({stats.gaps} gaps, the longest "
            f"{stats.longest_gap_s:g} s); sub-windows with too few are masked, shorter gaps can be "
            "filled with features.cleaning",
        )
    elif stats.gaps:
        yield (
            Severity.NOTE,
            f"{stats.gaps} gaps, the longest {stats.longest_gap_s:g} s; they are masked, or filled "
            "with features.cleaning",
        )
    for extreme in (stats.lowest, stats.highest):
        if extreme is not None:
            yield from _extreme_findings(extreme, stats.spread or 0.0)
    if stats.minimum == stats.maximum and stats.samples > 1:
        yield (
            Severity.HARMS,
            f"always {stats.minimum:g}: no information; check whether the sensor is connected",
        )
    elif stats.longest_constant_s > max(60.0, _LONG_CONSTANT * stats.duration_s):
        yield (
            Severity.NOTE,
            f"constant for {stats.longest_constant_s:g} s; check whether the machine stood still "
            "or the sensor hung",
        )


def _extreme_findings(extreme: Extreme, spread: float) -> Iterator[tuple[Severity, str]]:
    """Yield a finding if the extreme was probably not measured."""
    if extreme.next is None or extreme.times < _OFTEN:
        return
    distance = abs(extreme.value - extreme.next)
    marks = bool(np.isclose(np.abs(extreme.value), _MARKS, rtol=1e-6).any())
    if not distance > (_FAR_MARK if marks else _FAR) * spread or not (marks or spread):
        return
    yield (
        Severity.HARMS if marks else Severity.NOTE,
        f"{extreme.value:g} was read {extreme.times:,} times, far from all other values (the next "
        f"is {extreme.next:g}): does it mark a missing value? Give the sensor a range in the "
        "machine file that excludes it, as in range: [0, 400]",
    )


def _against_machine_file(
    stats: SensorStatistics, spec: SensorSpec
) -> Iterator[tuple[Severity, str]]:
    if stats.samples and stats.out_of_range == stats.samples - stats.bad_quality > 0:
        yield (
            Severity.HARMS,
            f"every value is outside its range {list(spec.range or ())} {spec.unit} (median "
            f"{stats.median:g}): is the file in another unit? Name it in units (--unit here), or "
            "correct the machine file",
        )
    elif stats.out_of_range > _FEW_OUTSIDE * stats.samples:
        yield (
            Severity.HARMS,
            f"{stats.out_of_range / stats.samples:.1%} of the values are outside its range "
            f"{list(spec.range or ())} {spec.unit} and count as missing; correct the range, or "
            "check the sensor",
        )
    if stats.bad_quality:
        yield (
            Severity.HARMS if stats.bad_quality == stats.samples else Severity.NOTE,
            f"{stats.bad_quality / stats.samples:.1%} of the samples are flagged bad and count as "
            "missing",
        )
    if stats.rate_hz and _other_rate(stats, spec):
        consequence = (
            "most of its instants would be empty"
            if stats.rate_hz < spec.rate_hz
            else "most of its samples would be left out"
        )
        yield (
            Severity.HARMS,
            f"recorded at {stats.rate_hz:.4g} Hz, but the machine file says {spec.rate_hz:g} Hz: "
            f"{consequence}; correct rate_hz",
        )


def _other_rate(stats: SensorStatistics, spec: SensorSpec) -> bool:
    return stats.rate_hz is not None and abs(stats.rate_hz / spec.rate_hz - 1) > _RATE_TOLERANCE
