"""A simulated fleet as a source of telemetry."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope import simulation
from hydrascope.schemas import Machine, SpecError, TimeWindow
from hydrascope.simulation.build import Build, load_kind, read_builds
from hydrascope.simulation.fleet import FIRST_ONSET, Member, draw_member
from hydrascope.simulation.fleet_settings import KINDS, FleetSettings
from hydrascope.simulation.random_circuits import MOST_CIRCUITS, RandomBuilds
from hydrascope.simulation.recording import Run
from hydrascope.simulation.trajectory import ground_truth
from hydrascope.simulation.version import code_version
from hydrascope.telemetry.source import Signal, within

START = datetime(2025, 1, 1, tzinfo=UTC)
"""The start of the observed life of every machine; machines work around the clock."""
LABEL_MIN = 10.0
"""The longest time in minutes that one row of labels covers."""
COMMISSIONING_H = 50.0
"""The operating hours of commissioning; they end at the earliest onset of a fault."""
_FIRST_COMMISSIONING = 10**6
"""The number of the first recording of commissioning; the observed life keeps its own draws."""
_CACHED_RECORDINGS = 4


class Recording(NamedTuple):
    """One recording of each machine of a fleet."""

    number: int
    """The number, which determines duty, setting and weather."""
    hour: float
    """The operating hours at its start."""
    commissioning: bool
    """Whether it lies before all faults."""


@dataclass(frozen=True)
class FleetSource(FleetSettings):
    """Simulated machines of the kinds in the package, of own machine files or of random circuits.

    Each machine is observed over `life_h` operating hours, by recordings of `recording_min` minutes
    that are evenly spread and `hours` long together. They are simulated when they are read. The
    samples depend on nothing but the seed, the machine and the recording.

    Before that, and before the onset of any fault, each machine may be recorded at commissioning:
    as built and worn, with duty and weather as at any other time.

    With `run_to_failure` the observed life of a machine is all of its life, and its own.

    Args: as the attributes of `FleetSettings`.

    Raises:
        SpecError: A kind is unknown, a machine cannot work, or nothing would be recorded.
    """

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(self.kinds))  # configs hold lists
        if unknown := [kind for kind in self.kinds if kind not in KINDS]:
            raise SpecError(
                f"{unknown[0]!r} is not accepted; there are: {', '.join(KINDS)}", path="fleet.kinds"
            )
        length_h = self.recording_min / 60.0
        most = int(COMMISSIONING_H / max(length_h, 1e-3))
        accepted = {
            "machines_per_kind": (1, math.inf, "1 or more"),
            "circuits": (1, MOST_CIRCUITS, f"1 to {MOST_CIRCUITS}"),
            "seed": (0, math.inf, "0 or more"),
            "recording_min": (0.1, math.inf, "0.1 or more"),
            "life_h": (1.0, math.inf, "1.0 or more"),
            "fault_rate": (0.0, 20.0, "0 to 20"),
            "hours": (
                length_h,
                self.life_h,
                f"a recording's length ({length_h:g}) to life_h ({self.life_h:g})",
            ),
            "commissioning": (
                0,
                most,
                f"0 to {most}, recordings of {self.recording_min:g} min in {COMMISSIONING_H:g} h",
            ),
        }
        for name, (low, high, expected) in accepted.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                message = f"{value} is not accepted; expected {expected}"
                raise SpecError(message, path=f"fleet.{name}")
        if self.files is not None:
            _ = self.builds  # what is wrong with a file is said now

    @cached_property
    def builds(self) -> Mapping[str, Build]:
        """The kinds of machines by name."""
        if self.circuits is not None:
            return RandomBuilds(self.seed, self.circuits)
        if self.files is None:
            return {kind: load_kind(kind) for kind in self.kinds}
        return read_builds(Path(self.files), Path(self.duty) if self.duty else None)

    @property
    def fingerprint(self) -> str:
        """The hash of the parameters, the files of machines and the code that simulates."""
        settings = asdict(self)
        settings = {name: settings[name] for name in settings.keys() - {"files", "duty"}}
        # Circuits follow from seed and code, so none is drawn for this.
        read = self.builds if self.circuits is None else {}
        return _hash(sorted(settings.items()), [each.digest for each in read.values()])

    def machine_fingerprint(self, equipment_id: str) -> str:
        """Return a hash of all that determines one machine's telemetry."""
        member = self.member(equipment_id)
        recorded = (self.hours, self.recording_min, self.commissioning, self.run_to_failure)
        content = (equipment_id, *recorded, self.life_h, self.fault_rate, self.seed)
        return _hash(content, member.build.digest)

    def machines(self) -> Mapping[str, Machine]:
        """Return the machines by equipment id."""
        members = (self.member(name) for name in self._numbers())
        return {member.equipment_id: member.machine for member in members}

    def extents(self, equipment_id: str) -> list[TimeWindow]:
        """Return the times of a machine's recordings, in order."""
        length = timedelta(minutes=self.recording_min)
        starts = [
            START + timedelta(seconds=round(3_600.0 * recording.hour))
            for recording in self.recordings(equipment_id)
        ]
        return [TimeWindow(start=start, end=start + length) for start in starts]

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        """Simulate the recording that contains `window` and return its samples in the window.

        Raises:
            ValueError: The machine is unknown or the window is in no recording.
        """
        member = self.member(equipment_id)
        both = zip(self.extents(equipment_id), self.recordings(equipment_id), strict=True)
        found = next((each for each in both if each[0].contains(window)), None)
        if found is None:
            raise ValueError(f"no telemetry of {equipment_id!r} in {window}")
        extent, recording = found
        values = _simulate(self, self.fingerprint, equipment_id, recording)
        sensors = [channel.sensor for channel in member.build.channels]
        signals = {each.id: Signal(values[each.id], each.rate_hz) for each in sensors}
        return within(signals, extent.start, window)

    def labels(self, equipment_id: str) -> pd.DataFrame:
        """Return the ground truth of each recording, in rows of at most `LABEL_MIN` minutes.

        The columns are those of `trajectory.ground_truth`, `kind`, and `commissioning`, which is 1
        before all faults and 0 later. With `run_to_failure`, `remaining_life` is the time to the
        failure, however far ahead.
        """
        member = self.member(equipment_id)
        rows = max(1, math.ceil(self.recording_min / LABEL_MIN))
        share = np.arange(rows) / rows
        recordings, extents = self.recordings(equipment_id), self.extents(equipment_id)
        hours = np.array([recording.hour for recording in recordings])
        begin_h = np.add.outer(hours, share * self.recording_min / 60.0).ravel()
        length = timedelta(minutes=self.recording_min / rows)
        components = [component.id for component in member.machine.topology.components]
        starts = [extent.start + number * length for extent in extents for number in range(rows)]
        truth = ground_truth(member.courses, components, begin_h)
        if self.run_to_failure:
            truth["remaining_life"] = (member.failure_h - begin_h) / 1e3
        # One array: inserting hundreds of columns would dominate the time.
        table = pd.DataFrame(np.column_stack(list(truth.values())), columns=list(truth))
        table.insert(0, "start", pd.DatetimeIndex(starts))
        table.insert(1, "end", pd.DatetimeIndex([start + length for start in starts]))
        table["kind"] = member.build.name
        before = [float(recording.commissioning) for recording in recordings]
        table["commissioning"] = np.repeat(before, rows)
        return table

    def member(self, equipment_id: str) -> Member:
        """Return a machine by its equipment id.

        Raises:
            ValueError: There is none.
        """
        place = self._numbers().get(equipment_id)
        if place is None:
            raise ValueError(
                f"no machine {equipment_id!r}; there are: {', '.join(self._numbers())}"
            )
        name, number = place
        return _member(
            self.builds[name],
            number,
            seed=self.seed,
            fault_rate=self.fault_rate,
            life_h=self.life_h,
            run_to_failure=self.run_to_failure,
        )

    def recordings(self, equipment_id: str) -> Sequence[Recording]:
        """Return the recordings of a machine, in order of time.

        Raises:
            ValueError: The machine is unknown.
        """
        member = self.member(equipment_id)
        if not self.run_to_failure:
            return self._of_every_machine
        apart_h = self.life_h / self._count
        last_h = member.failure_h - self.recording_min / 60.0
        return _recordings(self.commissioning, 0.0, np.arange(0.0, last_h, apart_h))

    @cached_property
    def _of_every_machine(self) -> Sequence[Recording]:
        observed = (np.arange(self._count) + 0.5) * self.life_h / self._count
        return _recordings(self.commissioning, FIRST_ONSET * self.life_h, observed)

    @property
    def _count(self) -> int:
        """The number of recordings in `life_h`."""
        return round(self.hours * 60.0 / self.recording_min)

    def _numbers(self) -> Mapping[str, tuple[str, int]]:
        return _numbered(tuple(self.builds), self.machines_per_kind)


@cache
def _numbered(kinds: tuple[str, ...], machines: int) -> Mapping[str, tuple[str, int]]:
    """Return the kind and number of each equipment id."""
    return {f"{kind}_{number:03d}": (kind, number) for kind in kinds for number in range(machines)}


def _recordings(
    commissioning: int, first_onset_h: float, observed_h: NDArray[np.float64]
) -> list[Recording]:
    """Return the recordings of commissioning, which ends at `first_onset_h`, and those observed."""
    begin_h = first_onset_h - COMMISSIONING_H
    before_h = begin_h + np.linspace(0.0, COMMISSIONING_H, commissioning, endpoint=False)
    return [
        *(Recording(_FIRST_COMMISSIONING + n, float(h), True) for n, h in enumerate(before_h)),
        *(Recording(n, float(hour), False) for n, hour in enumerate(observed_h)),
    ]


_member = lru_cache(maxsize=4096)(draw_member)


@lru_cache(maxsize=_CACHED_RECORDINGS)
def _simulate(
    source: FleetSource, _fingerprint: str, equipment_id: str, recording: Recording
) -> Mapping[str, NDArray[np.float32]]:
    """Return the samples of a recording by sensor id; kept while its windows are read.

    Not for an equal source whose files have changed since: its fingerprint is another.
    """
    run = Run(source.member(equipment_id), recording.number, recording.hour)
    pieces = list(run.pieces(60.0 * source.recording_min))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _hash(*content: object) -> str:
    return hashlib.sha256(f"{content!r} {_version()}".encode()).hexdigest()


@cache
def _version() -> int:
    """Return the version of the code that simulates."""
    return code_version(Path(simulation.__path__[0]))
