"""What the numbers of a folder mean for a training, in words, and what to do about it."""

from collections.abc import Iterator
from enum import IntEnum

from pydantic import BaseModel, ConfigDict

from hydrascope.schemas import SensorSpec
from hydrascope.telemetry.check.examine import Examination
from hydrascope.telemetry.check.statistics import SensorStatistics

_RATE_TOLERANCE = 0.05
_MANY_MISSING = 0.05
_FEW_OUTSIDE = 0.01
_LONG_CONSTANT = 0.2
"""Share of a recording that one value may last without a remark."""


class Severity(IntEnum):
    """How bad it is; the worst first."""

    STOPS = 0
    """A training would stop, or would have nothing to learn from."""
    HARMS = 1
    """A training would run, on less than was recorded or on something else."""
    NOTE = 2
    """Good to know."""


class Finding(BaseModel):
    """One thing that is wrong, and the remedy."""

    model_config = ConfigDict(frozen=True)

    severity: Severity
    subject: str
    """File, machine or `machine/sensor`."""
    message: str


def findings(found: Examination) -> list[Finding]:
    """Return everything worth saying, worst first."""
    every = [
        *(_finding(Severity.STOPS, "", fault) for fault in found.refused),
        *_of_machines(found),
        *_of_sensors(found),
        *_of_rows(found),
    ]
    if found.unjudged_quality:
        first, more = found.unjudged_quality[0], len(found.unjudged_quality) - 1
        others = f" and {more} more files" if more else ""
        every.append(
            _finding(
                Severity.HARMS,
                f"{first}{others}",
                "has a column quality, but which flags are good is not said: all are taken; "
                "name the good ones in quality_accepted (--accept here)",
            )
        )
    return sorted(every, key=lambda each: each.severity)


def _finding(severity: Severity, subject: str, message: str) -> Finding:
    return Finding(severity=severity, subject=subject, message=message)


def _of_machines(found: Examination) -> Iterator[Finding]:
    recorded = {machine for machine, _ in found.sensors}
    for name in sorted(recorded - set(found.machines)) if found.machines else ():
        yield _finding(
            Severity.HARMS, name, "no machine file: its telemetry is left alone; write one for it"
        )
    for name, machine in found.machines.items():
        specs = {sensor.id: sensor for _, sensor in machine.topology.sensors}
        told = {sensor: found.sensors.get((name, sensor)) for sensor in specs}
        if not any(each is not None and each.first is not None for each in told.values()):
            yield _finding(
                Severity.STOPS,
                name,
                "no good sample of any of its sensors; compare equipment_id, the sensors' ids, "
                "ranges and units in files and machine file",
            )
            continue
        if absent := [sensor for sensor, each in told.items() if each is None]:
            yield _finding(
                Severity.HARMS,
                name,
                f"never recorded: {', '.join(absent)}; take them out of the machine file, or "
                "correct their ids",
            )
        strange = [sensor for machine_, sensor in found.sensors if machine_ == name]
        if strange := [sensor for sensor in strange if sensor not in specs]:
            yield _finding(
                Severity.NOTE,
                name,
                f"not in the machine file and left alone: {', '.join(strange)}; add those that "
                "matter",
            )
        if name not in found.labelled:
            yield _finding(
                Severity.HARMS, name, "no labels: nothing can be learned from it; add a label file"
            )


def _of_rows(found: Examination) -> Iterator[Finding]:
    for machine in sorted({machine for machine, _ in found.sensors}):
        told = [each for (name, _), each in found.sensors.items() if name == machine]
        if repeated := sum(each.duplicates for each in told):
            message = f"{repeated:,} rows repeat an instant of a sensor; the last of each is taken"
            yield _finding(Severity.NOTE, machine, message)
        if unsorted := sum(each.unsorted for each in told):
            message = f"{unsorted:,} rows are out of order; files sorted by time are read faster"
            yield _finding(Severity.NOTE, machine, message)


def _of_sensors(found: Examination) -> Iterator[Finding]:
    for (machine, sensor), told in found.sensors.items():
        specs = (
            {spec.id: spec for _, spec in found.machines[machine].topology.sensors}
            if machine in found.machines
            else {}
        )
        if found.machines and sensor not in specs:
            continue
        for severity, message in _of_sensor(told, specs.get(sensor)):
            yield _finding(severity, f"{machine}/{sensor}", message)


def _of_sensor(told: SensorStatistics, spec: SensorSpec | None) -> Iterator[tuple[Severity, str]]:
    if spec is not None:
        yield from _against_machine_file(told, spec)
    if told.first is None:
        return
    if told.missing > _MANY_MISSING and not (spec and _other_rate(told, spec)):
        yield (
            Severity.HARMS,
            f"{told.missing:.0%} of the samples are missing ({told.gaps} gaps, the longest "
            f"{told.longest_gap_s:g} s); sub-windows with too few are masked, shorter gaps can be "
            "filled with features.cleaning",
        )
    elif told.gaps:
        yield (
            Severity.NOTE,
            f"{told.gaps} gaps, the longest {told.longest_gap_s:g} s; they are masked, or filled "
            "with features.cleaning",
        )
    if told.minimum == told.maximum and told.samples > 1:
        yield (
            Severity.HARMS,
            f"always {told.minimum:g}: it says nothing; look whether the sensor is connected",
        )
    elif told.longest_constant_s > max(60.0, _LONG_CONSTANT * told.duration_s):
        yield (
            Severity.NOTE,
            f"one value for {told.longest_constant_s:g} s on end; look whether the machine stood "
            "still or the sensor hung",
        )


def _against_machine_file(
    told: SensorStatistics, spec: SensorSpec
) -> Iterator[tuple[Severity, str]]:
    if told.samples and told.out_of_range == told.samples - told.bad_quality > 0:
        yield (
            Severity.HARMS,
            f"every value is outside its range {list(spec.range or ())} {spec.unit} (median "
            f"{told.median:g}): is the file in another unit? Name it in units (--unit here), or "
            "correct the machine file",
        )
    elif told.out_of_range > _FEW_OUTSIDE * told.samples:
        yield (
            Severity.HARMS,
            f"{told.out_of_range / told.samples:.1%} of the values are outside its range "
            f"{list(spec.range or ())} {spec.unit} and count as missing; correct the range, or "
            "look at the sensor",
        )
    if told.bad_quality:
        yield (
            Severity.NOTE,
            f"{told.bad_quality / told.samples:.1%} of the samples are flagged bad and count as "
            "missing",
        )
    if told.rate_hz and _other_rate(told, spec):
        consequence = (
            "most of its instants would be empty"
            if told.rate_hz < spec.rate_hz
            else "most of its samples would be left out"
        )
        yield (
            Severity.HARMS,
            f"recorded at {told.rate_hz:.4g} Hz, but the machine file says {spec.rate_hz:g} Hz: "
            f"{consequence}; correct rate_hz",
        )


def _other_rate(told: SensorStatistics, spec: SensorSpec) -> bool:
    return told.rate_hz is not None and abs(told.rate_hz / spec.rate_hz - 1) > _RATE_TOLERANCE
