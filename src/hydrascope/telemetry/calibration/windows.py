"""The windows of a folder, or of the test rig, that a machine is calibrated to."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from hydrascope.schemas import Machine, SpecError, TimeWindow
from hydrascope.schemas.duty import DutyCycle
from hydrascope.schemas.units import conversion
from hydrascope.telemetry.calibration.sound import Values, sound_stretches
from hydrascope.telemetry.source import Signal, TelemetrySource

MOST_WINDOWS = 6
"""How many windows are taken unless more are asked for."""
LEAST_S = 120.0
"""The least length of a window, if a recording is that long: means of more cycles scatter less."""


class SoundWindows(NamedTuple):
    """Windows in which a machine was sound."""

    machine: str
    """Its equipment id."""
    times: tuple[TimeWindow, ...]
    signals: tuple[dict[str, Signal], ...]
    """The signals of each window by sensor id, in the units of the machine file."""
    window_s: float
    stretches: int
    """How many stretches are sound."""


def machine_of(source: TelemetrySource, machine: Machine, wanted: str | None) -> str:
    """Return the machine in the telemetry that a machine file describes.

    Args:
        source: The telemetry.
        machine: The machine file.
        wanted: Its equipment id, if given.

    Raises:
        SpecError: There is no such machine, or several could be it.
    """
    known = source.machines()
    name = wanted or machine.equipment.equipment_id
    if name in known:
        return name
    if wanted is not None:
        raise SpecError(f"--machine {wanted}: expected one of {', '.join(known)}")
    alike = [each for each, other in known.items() if other.topology.id == machine.topology.id]
    if len(alike) != 1:
        raise SpecError(f"--machine: missing; expected one of {', '.join(alike or known)}")
    return alike[0]


def sound_windows(
    source: TelemetrySource,
    name: str,
    machine: Machine,
    duty: DutyCycle,
    sound: Values,
    most: int = MOST_WINDOWS,
) -> SoundWindows:
    """Read windows in which a machine was sound, spread evenly over its sound stretches.

    Each is as long as whole cycles of the duty, about `LEAST_S` if the stretches are. They follow
    each other in a stretch. If all cycles take the same time, a recording begins with one, and so
    does each window. A window that is not sound from its
    first to its last sample is never read.

    Args:
        source: The telemetry.
        name: The machine's equipment id there.
        machine: The machine file, which gives the units.
        duty: The duty.
        sound: See `sound_stretches`.
        most: How many windows are read at most.

    Raises:
        SpecError: No sound stretch is as long as a cycle, or a unit cannot be converted.
    """
    extents = source.extents(name)
    stretches = sound_stretches(source.labels(name), extents, sound)
    cycle_s = duty.duration_s
    if duty.in_step:
        stretches = [_from_cycle(each, extents, cycle_s) for each in stretches]
    longest_s = max((each.duration.total_seconds() for each in stretches), default=0.0)
    if longest_s < cycle_s:
        raise SpecError(
            f"{name}: no sound stretch of telemetry is as long as a cycle of the duty: "
            f"{longest_s:.3g} s of {cycle_s:.3g} s"
        )
    cycles = max(1, round(min(LEAST_S, longest_s) / cycle_s))
    window_s = min(cycles, int(longest_s / cycle_s)) * cycle_s
    every = [
        TimeWindow(start=start, end=start + timedelta(seconds=window_s))
        for stretch in stretches
        for start in _starts(stretch, window_s)
    ]
    chosen = np.unique(np.linspace(0, len(every) - 1, min(most, len(every))).round().astype(int))
    times = tuple(every[number] for number in chosen)
    signals = tuple(read_signals(source, name, machine, each) for each in times)
    return SoundWindows(name, times, signals, window_s, len(stretches))


def _from_cycle(stretch: TimeWindow, extents: Sequence[TimeWindow], cycle_s: float) -> TimeWindow:
    """Return a stretch from the next start of a cycle on; the first one starts with its extent."""
    extent = next(each for each in extents if each.contains(stretch))
    late_s = (extent.start - stretch.start).total_seconds() % cycle_s
    start = min(stretch.end, stretch.start + timedelta(seconds=late_s))
    return TimeWindow(start=start, end=stretch.end) if start < stretch.end else stretch


def _starts(stretch: TimeWindow, window_s: float) -> list[datetime]:
    count = int(stretch.duration.total_seconds() / window_s + 1e-6)
    return [stretch.start + timedelta(seconds=window_s * number) for number in range(count)]


def read_signals(
    source: TelemetrySource, name: str, machine: Machine, window: TimeWindow
) -> dict[str, Signal]:
    """Read what was recorded of a machine, by sensor id, in the units of the machine file.

    Raises:
        SpecError: A unit cannot be converted.
    """
    units = {sensor.id: sensor.unit for _, sensor in machine.topology.sensors}
    into = {
        sensor.id: conversion(sensor.unit, units[sensor.id])
        for _, sensor in source.machines()[name].topology.sensors
        if sensor.id in units
    }
    signals = {}
    for sensor, signal in source.read(name, window).items():
        if sensor in into and np.isfinite(signal.values).any():
            scale, offset = into[sensor]
            signals[sensor] = Signal(scale * signal.values + offset, signal.rate_hz)
    return signals
