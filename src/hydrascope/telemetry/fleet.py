"""A simulated fleet as a source of telemetry."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope import simulation
from hydrascope.schemas import Machine, SpecError, TimeWindow
from hydrascope.simulation.fleet import (
    ASSETS,
    FIRST_ONSET,
    KINDS,
    Member,
    draw_member,
)
from hydrascope.simulation.recording import Run
from hydrascope.simulation.trajectory import ground_truth
from hydrascope.simulation.version import code_version
from hydrascope.telemetry.source import Signal

START = datetime(2025, 1, 1, tzinfo=UTC)
"""When the observed life of every machine begins; machines work around the clock."""
LABEL_MIN = 10.0
COMMISSIONING_H = 50.0
"""Operating hours over which commissioning is spread; they end where the first fault may begin."""
_FIRST_COMMISSIONING = 10**6
"""Its recordings are numbered from here, so that those of the observed life keep their draws."""
_CACHED_RECORDINGS = 4


class Recording(NamedTuple):
    """One recording of each machine of a fleet."""

    number: int
    """Another one differs in duty, setting and weather."""
    hour: float
    """Operating hour at its start."""
    commissioning: bool
    """Whether it is of a time before all faults."""


@dataclass(frozen=True)
class FleetSource:
    """Machines of up to four kinds that do not exist, with what is wrong with them.

    Each machine is observed over `life_h` operating hours by recordings of `recording_min`,
    evenly spread, `hours` together. They are simulated when they are read; what is read depends
    on the seed, the machine and the recording alone.

    Before that, and before any fault has its onset, each machine may be recorded at commissioning:
    as built and worn, at work and under weather as at any other time.

    Args:
        machines_per_kind: How many of each kind.
        kinds: Which; some of `KINDS`.
        hours: Recorded hours of each machine.
        recording_min: Length of a recording in minutes.
        life_h: Operating hours over which the recordings are spread.
        fault_rate: Faults to be expected of each machine in that time.
        seed: Of everything random.
        commissioning: Recordings of each machine from before all faults, beside `hours`.

    Raises:
        SpecError: A kind is unknown, or nothing would be recorded.
    """

    machines_per_kind: int
    kinds: Sequence[str] = KINDS
    hours: float = 1.0
    recording_min: float = 6.0
    life_h: float = 2_000.0
    fault_rate: float = 1.5
    seed: int = 0
    commissioning: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(self.kinds))  # configs hold lists
        if unknown := [kind for kind in self.kinds if kind not in KINDS]:
            raise SpecError(
                f"fleet.kinds: {unknown[0]!r} is not accepted; there are: {', '.join(KINDS)}"
            )
        for name, low in (("machines_per_kind", 1), ("recording_min", 0.1), ("life_h", 1.0)):
            if getattr(self, name) < low:
                value = getattr(self, name)
                raise SpecError(f"fleet.{name}: {value} is not accepted; expected {low} or more")
        if not 0.0 <= self.fault_rate <= 20.0:
            raise SpecError(
                f"fleet.fault_rate: {self.fault_rate} is not accepted; expected 0 to 20"
            )
        if not self.recording_min / 60.0 <= self.hours <= self.life_h:
            raise SpecError(
                f"fleet.hours: {self.hours} is not accepted; expected a recording's length "
                f"({self.recording_min / 60.0:g}) to life_h ({self.life_h:g})"
            )
        most = int(COMMISSIONING_H * 60.0 / self.recording_min)
        if not 0 <= self.commissioning <= most:
            raise SpecError(
                f"fleet.commissioning: {self.commissioning} is not accepted; expected 0 to {most}, "
                f"recordings of {self.recording_min:g} min in {COMMISSIONING_H:g} h"
            )

    @property
    def fingerprint(self) -> str:
        """Hash of the parameters and of the code that simulates."""
        return hashlib.sha256(f"{self!r} {_version()}".encode()).hexdigest()

    def machine_fingerprint(self, equipment_id: str) -> str:
        """Hash of what decides one machine's telemetry: the others do not."""
        self.member(equipment_id)
        recorded = (self.hours, self.recording_min, self.commissioning)
        mine = (equipment_id, *recorded, self.life_h, self.fault_rate, self.seed)
        return hashlib.sha256(f"{mine!r} {_version()}".encode()).hexdigest()

    def machines(self) -> Mapping[str, Machine]:
        """Return the machines by equipment id."""
        members = (self.member(name) for name in self._numbers())
        return {member.equipment_id: member.machine for member in members}

    def extents(self, equipment_id: str) -> list[TimeWindow]:
        """Return the recordings of a machine, in order of time."""
        self.member(equipment_id)
        length = timedelta(minutes=self.recording_min)
        return [
            TimeWindow(start=start, end=start + length)
            for start in (_time(recording.hour) for recording in self.recordings)
        ]

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        """Simulate the recording that holds `window` and return its samples in it.

        Raises:
            ValueError: The machine is unknown or the window is in no recording.
        """
        member = self.member(equipment_id)
        for each, extent in zip(self.recordings, self.extents(equipment_id), strict=True):
            if extent.contains(window):
                recording = _recording(self, equipment_id, each)
                first_s = (window.start - extent.start).total_seconds()
                stop_s = (window.end - extent.start).total_seconds()
                return {
                    sensor.id: Signal(
                        recording[sensor.id][
                            _before(first_s, sensor.rate_hz) : _before(stop_s, sensor.rate_hz)
                        ].copy(),
                        sensor.rate_hz,
                    )
                    for _, sensor in member.machine.topology.sensors
                }
        raise ValueError(f"no telemetry of {equipment_id!r} in {window}")

    def labels(self, equipment_id: str) -> pd.DataFrame:
        """Return what is true of each recording, in rows of at most `LABEL_MIN` minutes.

        Columns as in `trajectory.ground_truth`, `kind`, the machine's build, and `commissioning`,
        1 before all faults and 0 later.
        """
        member = self.member(equipment_id)
        rows = max(1, math.ceil(self.recording_min / LABEL_MIN))
        share = np.arange(rows) / rows
        hours = np.array([recording.hour for recording in self.recordings])
        begin_h = np.add.outer(hours, share * self.recording_min / 60.0).ravel()
        length = timedelta(minutes=self.recording_min / rows)
        components = [component.id for component in member.machine.topology.components]
        starts = [
            extent.start + number * length
            for extent in self.extents(equipment_id)
            for number in range(rows)
        ]
        truth = ground_truth(member.courses, components, begin_h)
        # One array: hundreds of columns one by one would take longer than all else.
        table = pd.DataFrame(np.column_stack(list(truth.values())), columns=list(truth))
        table.insert(0, "start", pd.DatetimeIndex(starts))
        table.insert(1, "end", pd.DatetimeIndex([start + length for start in starts]))
        table["kind"] = member.kind
        before = [float(recording.commissioning) for recording in self.recordings]
        table["commissioning"] = np.repeat(before, rows)
        return table

    def member(self, equipment_id: str) -> Member:
        """Return the machine behind an equipment id.

        Raises:
            ValueError: There is none.
        """
        place = self._numbers().get(equipment_id)
        if place is None:
            raise ValueError(
                f"no machine {equipment_id!r}; there are: {', '.join(self._numbers())}"
            )
        return _member(*place, self.seed, self.fault_rate, self.life_h)

    @property
    def recordings(self) -> list[Recording]:
        """Recordings of each machine, in order of time."""
        count = round(self.hours * 60.0 / self.recording_min)
        first_h = FIRST_ONSET * self.life_h - COMMISSIONING_H
        before = first_h + np.linspace(0.0, COMMISSIONING_H, self.commissioning, endpoint=False)
        observed = (np.arange(count) + 0.5) * self.life_h / count
        return [
            *(Recording(_FIRST_COMMISSIONING + n, float(h), True) for n, h in enumerate(before)),
            *(Recording(n, float(hour), False) for n, hour in enumerate(observed)),
        ]

    def _numbers(self) -> Mapping[str, tuple[str, int]]:
        return _numbered(tuple(self.kinds), self.machines_per_kind)


@cache
def _numbered(kinds: tuple[str, ...], machines: int) -> Mapping[str, tuple[str, int]]:
    """Return kind and number by equipment id."""
    return {f"{kind}_{number:03d}": (kind, number) for kind in kinds for number in range(machines)}


@lru_cache(maxsize=4096)
def _member(kind: str, number: int, seed: int, fault_rate: float, life_h: float) -> Member:
    return draw_member(kind, number, seed=seed, fault_rate=fault_rate, life_h=life_h)


@lru_cache(maxsize=_CACHED_RECORDINGS)
def _recording(
    source: FleetSource, equipment_id: str, recording: Recording
) -> Mapping[str, NDArray[np.float32]]:
    """Windows are read one after the other: the recording they are of is simulated once."""
    run = Run(source.member(equipment_id), recording.number, recording.hour)
    pieces = list(run.pieces(60.0 * source.recording_min))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


@cache
def _version() -> str:
    """Hash of the simulator and the machine files."""
    content = hashlib.sha256(f"{code_version(Path(simulation.__path__[0]))}".encode())
    for kind in KINDS:
        for name in ("machine.yaml", "duty.yaml"):
            content.update((ASSETS / kind / name).read_bytes())
    return content.hexdigest()[:16]


def _time(hour: float) -> datetime:
    return START + timedelta(seconds=round(3_600.0 * hour))


def _before(seconds: float, rate_hz: float) -> int:
    """How many samples lie before a time."""
    return int(np.ceil(seconds * rate_hz - 1e-6))
