"""Simulated machines as a watch sees them: the numbers of their windows, kept in files.

Shapes: W windows, F numbers of each.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.monitoring.meaning import evidence_of
from hydrascope.monitoring.observation import Observation
from hydrascope.packaging.bundle import read_bundle
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.diagnosis.diagnosis import build_diagnosis
from hydrascope.serving.diagnosis.observations import for_rules
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import GivenReference, TelemetryWindow
from hydrascope.simulation.faults import Fault
from hydrascope.simulation.fleet import Member
from hydrascope.simulation.trajectory import Course, FaultCourse
from hydrascope.telemetry.fleet import START, FleetSource

_TOGETHER = 32


@dataclass(frozen=True)
class Developing(FleetSource):
    """Machines with one fault each, which grows evenly from hour 0 to failure at `life_h`."""

    fault: Fault = Fault.LEAKAGE

    def machine_fingerprint(self, equipment_id: str) -> str:
        """Return a hash of all that determines one machine's telemetry."""
        content = f"{super().machine_fingerprint(equipment_id)} {self.fault}"
        return hashlib.sha256(content.encode()).hexdigest()

    def member(self, equipment_id: str) -> Member:
        """Return a machine; those of a kind take turns in the component that fails."""
        sound = super().member(equipment_id)
        places = sound.build.faults[self.fault]
        place = places[sound.seed[-1] % len(places)]
        return replace(
            sound, courses=(FaultCourse(self.fault, place, Course.LINEAR, 0.0, self.life_h),)
        )


class Seen(NamedTuple):
    """The numbers of a machine's windows that rules may read."""

    hours: NDArray[np.float64]
    """[W]; operating hours at the start of each window."""
    window_s: float
    names: list[list[str]]
    """Component, head, finding and measure of each of the F numbers, as in `Observation`."""
    value: NDArray[np.float32]
    """[W, F]."""
    shown: NDArray[np.int8]
    """[W, F]; −1 stands for None."""
    reliable: NDArray[np.bool_]
    """[W, F]."""

    def windows(self) -> Iterator[tuple[TimeWindow, list[Observation]]]:
        """Yield each window and its numbers, as a watch has them."""
        for row, hour in enumerate(self.hours.tolist()):
            start = START + timedelta(hours=hour)
            window = TimeWindow(start=start, end=start + timedelta(seconds=self.window_s))
            columns = zip(
                self.names,
                self.value[row].tolist(),
                self.shown[row].tolist(),
                self.reliable[row].tolist(),
                strict=True,
            )
            yield (
                window,
                [
                    Observation(*names, value, None if shown < 0 else bool(shown), reliable, "")  # type: ignore[arg-type]
                    for names, value, shown, reliable in columns
                ],
            )


class Viewer:
    """Answers windows of simulated machines with a bundle, as a watch does.

    Args:
        bundle: Its folder.
        kept: Folder for the numbers of each machine; what is there is not computed again.
    """

    def __init__(self, bundle: Path, kept: Path) -> None:
        self._bundle, self._kept = bundle, kept

    @cached_property
    def _model(self) -> ServedModel:
        return ServedModel(read_bundle(self._bundle))

    @property
    def evidence(self) -> dict[str, str]:
        """The machine's heads whose findings a watch folds; see `evidence_of`."""
        return evidence_of(self._model.manifest.task.heads)

    def see(self, source: FleetSource, equipment_id: str, first_h: float = 0.0) -> Seen:
        """Return the numbers of a machine's windows from an hour on.

        The first window of each recording of commissioning is a reference window.
        """
        version, telemetry = self._model.version, source.machine_fingerprint(equipment_id)
        file = self._kept / f"{version}-{telemetry[:16]}-{first_h:g}.npz"
        if not file.exists():
            seen = self._seen(source, equipment_id, first_h)
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".part.npz")
            np.savez_compressed(partial, **{**seen._asdict(), "names": json.dumps(seen.names)})
            partial.rename(file)
        with np.load(file) as kept:
            given = {"names": json.loads(str(kept["names"])), "window_s": float(kept["window_s"])}
            return Seen(**{**kept, **given})

    def _seen(self, source: FleetSource, equipment_id: str, first_h: float) -> Seen:
        machine = source.member(equipment_id).machine
        window_s = self._model.window_s
        both = [*zip(source.recordings(equipment_id), source.extents(equipment_id), strict=True)]

        def window(start: datetime, given: GivenReference | None) -> TelemetryWindow:
            extent = TimeWindow(start=start, end=start + timedelta(seconds=window_s))
            return TelemetryWindow(machine, start, source.read(equipment_id, extent), given)

        sound = [window(extent.start, None) for each, extent in both if each.commissioning]
        given = GivenReference(machine, window_s, tuple(sound))
        starts = [
            extent.start + number * timedelta(seconds=window_s)
            for each, extent in both
            if not each.commissioning and each.hour >= first_h
            for number in range(round(60 * source.recording_min / window_s))
        ]
        found: list[list[Observation]] = []
        for some in batched(starts, _TOGETHER):
            windows = [window(start, given) for start in some]
            answers, _ = self._model.answer(windows)
            for asked, answer in zip(windows, answers, strict=True):
                version = self._model.version
                diagnosis = build_diagnosis(asked, answer, self._model.manifest, version)
                numbers = for_rules(diagnosis, self._model.manifest.task.heads)
                found.append([each for each in numbers if each.measure != "value"])
        first = found[0]
        names = [[each.component_id, each.head, each.finding, each.measure] for each in first]
        return Seen(
            np.array([(start - START) / timedelta(hours=1) for start in starts]),
            window_s,
            names,
            np.array([[each.value for each in own] for own in found], dtype=np.float32),
            np.array([[_code(each) for each in own] for own in found], dtype=np.int8),
            np.array([[each.reliable for each in own] for own in found]),
        )


def _code(observation: Observation) -> int:
    return -1 if observation.shown is None else int(observation.shown)


def batched(starts: Sequence[datetime], size: int) -> Iterator[Sequence[datetime]]:
    """Yield the starts in groups of `size`; the last may be smaller."""
    for first in range(0, len(starts), size):
        yield starts[first : first + size]
