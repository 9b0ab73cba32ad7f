"""Simulated rigs with the four faults of the real one, as a source of telemetry."""

import hashlib
from collections.abc import Mapping
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
from hydrascope.simulation.build import DUTY_FILE, Build, read_build
from hydrascope.simulation.version import code_version
from hydrascope.telemetry.rig.cycles import Rig, State, cycle, draw_rig, measured
from hydrascope.telemetry.rig.faults import check_rig
from hydrascope.telemetry.rig.severities import GRADES, REFERENCE, label_of
from hydrascope.telemetry.source import Signal, within

START = datetime(2025, 1, 1, tzinfo=UTC)
APART = timedelta(hours=1)
"""The time from the start of a recording to that of the next; a recording is one cycle."""
_LATE_S = 0.02
"""How much the start of a cycle scatters in s: PS1 of sound cycles scatters as much while the valve
closes."""
_ACCEPTED = {
    "rigs": (1, 100_000), "recordings": (1, 1_000), "references": (1, 1_000), "seed": (0, 2**31),
    "spread": (0.0, 3.0), "sound_share": (0.0, 1.0), "model_error": (0.0, 0.1),
}  # fmt: skip


_NOT_OF_ONE = ("machine_file", "duty_file", "rigs")
"""The settings that do not change a rig: of the files, the content does."""


class _Drawn(NamedTuple):
    """A rig and what it is like in each recording, R of them."""

    rig: Rig
    severity: NDArray[np.float64]
    """[R, components of `GRADES`]."""
    ambient_c: NDArray[np.float64]
    """[R]"""
    late_s: NDArray[np.float64]
    """[R]"""

    def state(self, recording: int) -> State:
        return State(
            dict(zip(GRADES, self.severity[recording].tolist(), strict=True)),
            float(self.ambient_c[recording]),
            float(self.late_s[recording]),
        )


@dataclass(frozen=True)
class SimulatedRigs:
    """Rigs of one machine file that differ in their values, with faults of all four components.

    The values of a rig differ from the file as far as a calibration may move them: little if the
    file gives them, more if they are estimated. So rigs of a calibrated file are more alike.

    A recording is one cycle. The first recordings of a rig are sound and have one temperature of
    the air; label `reference` is 1 there. In each other one every component is sound by chance, or
    has a severity anywhere between 0 and 1.

    Attributes:
        machine_file: The machine file of the rig.
        duty_file: Its duty file; None: `duty.yaml` beside it.
        rigs: The number of rigs.
        recordings: The number of recordings of each rig, beside the references.
        references: The number of references of each rig.
        spread: The factor of the spreads by which rigs differ; 0: they are all as the file says.
        sound_share: The probability that a component is sound in a recording.
        model_error: What the simulation of a recording leaves out, as a standard deviation in
            shares of each sensor's range: once for the recording, and a fifth anew each second.
        seed: The seed of everything random.

    Raises:
        SpecError: A file is wrong or no rig, or a setting is not accepted.
    """

    machine_file: str
    duty_file: str | None = None
    rigs: int = 400
    recordings: int = 8
    references: int = 3
    spread: float = 1.0
    sound_share: float = 0.4
    model_error: float = 0.005
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in _ACCEPTED.items():
            value = getattr(self, name)
            if not low <= value <= high:
                message = f"{value} is not accepted; expected {low:g} to {high:g}"
                raise SpecError(message, path=f"data.source.{name}")
        check_rig(self.build.circuit, self.machine_file)

    @cached_property
    def build(self) -> Build:
        """The rig as its file describes it."""
        file = Path(self.machine_file)
        duty = file.with_name(DUTY_FILE) if self.duty_file is None else Path(self.duty_file)
        return read_build(file, duty)

    @cached_property
    def fingerprint(self) -> str:
        """The hash of the settings, the machine file, its duty and the code that simulates."""
        return self._hash(self.rigs)

    def machine_fingerprint(self, equipment_id: str) -> str:
        """Return a hash of all that determines one rig's telemetry, whatever the others are."""
        return self._hash(equipment_id)

    def _hash(self, of: object) -> str:
        settings = asdict(self)
        kept = sorted((k, v) for k, v in settings.items() if k not in _NOT_OF_ONE)
        content = (of, kept, self.build.digest, _versions())
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def machines(self) -> Mapping[str, Machine]:
        """Return the rigs by equipment id."""
        return {name: self._machine(name) for name in self._numbers}

    def extents(self, equipment_id: str) -> list[TimeWindow]:
        """Return the times of a rig's recordings, in order."""
        self._number(equipment_id)
        length = timedelta(seconds=self.build.duty.duration_s)
        starts = [START + number * APART for number in range(self.references + self.recordings)]
        return [TimeWindow(start=start, end=start + length) for start in starts]

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        """Simulate the recording that contains `window` and return its samples in the window.

        Raises:
            ValueError: The rig is unknown or the window is in no recording.
        """
        extents = self.extents(equipment_id)
        found = next((n for n, each in enumerate(extents) if each.contains(window)), None)
        if found is None:
            raise ValueError(f"no telemetry of {equipment_id!r} in {window}")
        signals = _simulated(self, self._number(equipment_id), found)
        return within(signals, extents[found].start, window)

    def labels(self, equipment_id: str) -> pd.DataFrame:
        """Return the severity of each component in each recording, and `reference`."""
        drawn, extents = _drawn(self, self._number(equipment_id)), self.extents(equipment_id)
        table = pd.DataFrame(
            {label_of(name): drawn.severity[:, column] for column, name in enumerate(GRADES)}
        )
        table.insert(0, "start", pd.DatetimeIndex([each.start for each in extents]))
        table.insert(1, "end", pd.DatetimeIndex([each.end for each in extents]))
        table[REFERENCE] = (np.arange(len(table)) < self.references).astype(np.float64)
        return table

    def _machine(self, equipment_id: str) -> Machine:
        machine = self.build.machine
        equipment = machine.equipment.model_copy(update={"equipment_id": equipment_id})
        return machine.model_copy(update={"equipment": equipment})

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {f"{self.build.name}_{number:05d}": number for number in range(self.rigs)}

    def _number(self, equipment_id: str) -> int:
        number = self._numbers.get(equipment_id)
        if number is None:
            raise ValueError(f"no rig {equipment_id!r}; there are {self.rigs}")
        return number


@cache
def _versions() -> list[int]:
    """Return the versions of the code that simulates, and of the faults."""
    return [code_version(each) for each in (Path(simulation.__path__[0]), Path(__file__).parent)]


@lru_cache(maxsize=8)
def _drawn(source: SimulatedRigs, number: int) -> _Drawn:
    rng, weather = np.random.default_rng((source.seed, number)), source.build.duty.weather
    rig = draw_rig(source.build, source.spread, rng)
    size = (source.references + source.recordings, len(GRADES))
    severity = rng.uniform(0.0, 1.0, size)
    severity[rng.uniform(0.0, 1.0, size) < source.sound_share] = 0.0
    severity[: source.references] = 0.0
    ambient_c = weather.mean_c + weather.deviation_c * rng.standard_normal(size[0])
    ambient_c[: source.references] = ambient_c[0]
    return _Drawn(rig, severity, ambient_c, _LATE_S * rng.standard_normal(size[0]))


@lru_cache(maxsize=4)
def _simulated(source: SimulatedRigs, number: int, recording: int) -> Mapping[str, Signal]:
    """Return the samples of a recording by sensor id; kept while its windows are read."""
    drawn, rng = _drawn(source, number), np.random.default_rng((source.seed, number, recording + 1))
    truth = cycle(drawn.rig, drawn.state(recording))
    return {
        channel.sensor.id: measured(channel, truth[channel.sensor.id], source.model_error, rng)
        for channel in source.build.channels
    }
