"""Findings, and those of one sensor: what its statistics mean for a training."""

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from hydrascope.schemas import SensorSpec
from hydrascope.telemetry.folder.statistics import Extreme, SensorStatistics
from hydrascope.telemetry.time_words import TimeWords

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


class Finding(NamedTuple):
    """A problem and its remedy."""

    severity: Severity
    kind: str
    """The problem in few words, the same for all subjects."""
    subject: str
    """The file, machine or `machine/sensor`."""
    message: str

    @property
    def line(self) -> str:
        """Subject and message in one line."""
        return f"{self.subject}: {self.message}" if self.subject else self.message


class SensorFinding(NamedTuple):
    """A problem of one sensor and its remedy."""

    severity: Severity
    kind: str
    """The problem in few words, the same for all sensors."""
    message: str


def sensor_findings(
    stats: SensorStatistics, spec: SensorSpec | None, words: TimeWords
) -> Iterator[SensorFinding]:
    """Yield the findings of a sensor, compared with the machine file if that lists it."""
    if spec is not None:
        yield from _against_machine_file(stats, spec, words)
    if stats.first is None:
        return
    if stats.missing > _MANY_MISSING and not (spec and _other_rate(stats, spec)):
        yield SensorFinding(
            Severity.HARMS,
            "missing samples",
            f"{stats.missing:.0%} of the samples are missing ({stats.gaps} gaps, the longest "
            f"{stats.longest_gap_s:g} {words.second}); sub-windows with too few are masked, "
            "shorter gaps can be filled with features.cleaning",
        )
    elif stats.gaps:
        yield SensorFinding(
            Severity.NOTE,
            "gaps",
            f"{stats.gaps} gaps, the longest {stats.longest_gap_s:g} {words.second}; they are "
            "masked, or filled with features.cleaning",
        )
    for extreme in (stats.lowest, stats.highest):
        if extreme is not None:
            yield from _extreme_findings(extreme, stats.spread or 0.0)
    if stats.minimum == stats.maximum and stats.samples > 1:
        yield SensorFinding(
            Severity.HARMS,
            "always the same value",
            f"always {stats.minimum:g}: no information; check whether the sensor is connected",
        )
    elif stats.longest_constant_s > max(60.0, _LONG_CONSTANT * stats.duration_s):
        yield SensorFinding(
            Severity.NOTE,
            "constant for long",
            f"constant for {stats.longest_constant_s:g} {words.second}; check whether the machine "
            "stood still or the sensor hung",
        )


def _extreme_findings(extreme: Extreme, spread: float) -> Iterator[SensorFinding]:
    """Yield a finding if the extreme was probably not measured."""
    marks = marks_missing(extreme, spread)
    if not marks and not _repeated_from(extreme, _FAR * spread if spread else np.inf):
        return
    yield SensorFinding(
        Severity.HARMS if marks else Severity.NOTE,
        "implausible extremes",
        f"{extreme.value:g} was read {extreme.times:,} times, far from all other values (the next "
        f"is {extreme.next:g}): does it mark a missing value? Give the sensor a range in the "
        "machine file that excludes it, as in range: [0, 400]",
    )


def marks_missing(extreme: Extreme, spread: float) -> bool:
    """Return whether an extreme is a value that devices write where nothing was measured.

    Args:
        extreme: The lowest or highest value of a sensor.
        spread: The interquartile range of its values.
    """
    known = bool(np.isclose(np.abs(extreme.value), _MARKS, rtol=1e-6).any())
    return known and _repeated_from(extreme, _FAR_MARK * spread)


def _repeated_from(extreme: Extreme, distance: float) -> bool:
    """Return whether a value was read again, and all others are further away than `distance`."""
    if extreme.next is None or extreme.times < _OFTEN:
        return False
    return abs(extreme.value - extreme.next) > distance


def _against_machine_file(
    stats: SensorStatistics, spec: SensorSpec, words: TimeWords
) -> Iterator[SensorFinding]:
    if stats.samples and stats.out_of_range == stats.samples - stats.bad_quality > 0:
        yield SensorFinding(
            Severity.HARMS,
            "all values outside the range",
            f"every value is outside its range {list(spec.range or ())} {spec.unit} (median "
            f"{stats.median:g}): is the file in another unit? Name it in units (--unit here), or "
            "correct the machine file",
        )
    elif stats.out_of_range > _FEW_OUTSIDE * stats.samples:
        yield SensorFinding(
            Severity.HARMS,
            "values outside the range",
            f"{stats.out_of_range / stats.samples:.1%} of the values are outside its range "
            f"{list(spec.range or ())} {spec.unit} and count as missing; correct the range, or "
            "check the sensor",
        )
    if stats.bad_quality:
        yield SensorFinding(
            Severity.HARMS if stats.bad_quality == stats.samples else Severity.NOTE,
            "flagged samples",
            f"{stats.bad_quality / stats.samples:.1%} of the samples are flagged bad and count as "
            "missing",
        )
    if stats.rate_hz and _other_rate(stats, spec):
        consequence = (
            "most of its instants would be empty"
            if stats.rate_hz < spec.rate_hz
            else "most of its samples would be left out"
        )
        yield SensorFinding(
            Severity.HARMS,
            "another rate",
            f"recorded at {stats.rate_hz:.4g} {words.rate}, but the machine file says "
            f"{spec.rate_hz:g} {words.rate}: {consequence}; correct rate_hz",
        )


def _other_rate(stats: SensorStatistics, spec: SensorSpec) -> bool:
    return stats.rate_hz is not None and abs(stats.rate_hz / spec.rate_hz - 1) > _RATE_TOLERANCE
