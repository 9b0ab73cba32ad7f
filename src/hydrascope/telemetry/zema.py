"""The ZeMA test rig as a source of telemetry."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pandas as pd

from hydrascope.schemas import Machine, TimeWindow
from hydrascope.telemetry.source import Signal
from hydrascope.telemetry.times import as_microseconds
from hydrascope.telemetry.zema_download import read_download
from hydrascope.telemetry.zema_recording import (
    ASSETS,
    CYCLE_S,
    LABEL_VALUES,
    SET_CYCLES,
    load_embedded,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The start of the first cycle."""

_CONDITIONS = ["cooler", "valve", "pump", "accumulator"]


class ZemaSource:
    """The 2205 load cycles, of 60 s each, of a hydraulic test rig in known condition.

    Without a folder, this is the set at 1 Hz that comes with the package. A folder contains the
    original download, at its native 100, 10 and 1 Hz, or some of its lines.

    The set has no clock. Cycle k starts at 1970-01-01T00:00Z + k x 60 s, so the cycles follow each
    other without a gap, in the order of the files.

    Args:
        folder: Contains the text files of the 17 sensors and `profile.txt`.
        verify: Whether the files of a whole set must be identical to the download.

    Raises:
        SpecError: A file in the folder is missing, malformed or not the original.
    """

    def __init__(self, folder: str | Path | None = None, *, verify: bool = True) -> None:
        with resources.as_file(ASSETS / "machine.yaml") as path:
            self._machine = Machine.from_yaml(path)
        if folder is None:
            self._recording = load_embedded()
        else:
            rates_hz = {sensor.id: sensor.rate_hz for _, sensor in self._machine.topology.sensors}
            self._recording = read_download(Path(folder), rates_hz, verify)
        self.equipment_id = self._machine.equipment.equipment_id

    @property
    def fingerprint(self) -> str:
        """Hash of telemetry, labels, folds and machine file."""
        content = hashlib.sha256(self._recording.content_hash.encode())
        for asset in ("machine.yaml", "unseen_condition_folds.csv"):
            content.update((ASSETS / asset).read_bytes())
        return content.hexdigest()

    def machines(self) -> Mapping[str, Machine]:
        """Return the rig, the only machine."""
        return {self.equipment_id: self._machine}

    def extents(self, equipment_id: str) -> list[TimeWindow]:
        """Return the single stretch that contains all cycles."""
        self._refuse_other(equipment_id)
        duration = timedelta(seconds=CYCLE_S * self._recording.cycles)
        return [TimeWindow(start=EPOCH, end=EPOCH + duration)]

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        """Return a copy of the samples with `window.start <= time < window.end`, by sensor id.

        Raises:
            ValueError: The machine is not the rig or the window leaves the recording.
        """
        (extent,) = self.extents(equipment_id)
        if not extent.contains(window):
            raise ValueError(f"no telemetry of {equipment_id!r} in {window}; recorded: {extent}")
        read = {}
        for sensor, signal in self._recording.signals.items():
            first = _samples_before(window.start, signal.rate_hz)
            end = _samples_before(window.end, signal.rate_hz)
            read[sensor] = Signal(signal.values[first:end].copy(), signal.rate_hz)
        return read

    def labels(self, equipment_id: str) -> pd.DataFrame:
        """Return one row per cycle.

        The columns are `start`, `end` (UTC); `cooler`, `valve`, `pump`, `accumulator`, `stable`
        (float, the raw values of `LABEL_VALUES`); and `condition`, which joins the values of the
        four components, as in "3/100/0/130". The whole set also has `unseen_condition_fold`
        (0–4); no condition occurs in two folds.
        """
        self._refuse_other(equipment_id)
        cycles = self._recording.cycles
        start = pd.date_range(EPOCH, periods=cycles, freq=f"{CYCLE_S}s")
        values = pd.DataFrame(self._recording.labels, columns=list(LABEL_VALUES))
        table = values.astype("float64")
        table.insert(0, "start", start)
        table.insert(1, "end", start + pd.Timedelta(seconds=CYCLE_S))
        text = values[_CONDITIONS].astype(str)
        table["condition"] = text[_CONDITIONS[0]].str.cat(text[_CONDITIONS[1:]], sep="/")
        if cycles == SET_CYCLES:
            with (ASSETS / "unseen_condition_folds.csv").open(encoding="utf-8") as file:
                table["unseen_condition_fold"] = pd.read_csv(file)["fold"]
        return table

    def _refuse_other(self, equipment_id: str) -> None:
        if equipment_id != self.equipment_id:
            raise ValueError(f"no machine {equipment_id!r}; there is: {self.equipment_id!r}")


def _samples_before(time: datetime, rate_hz: float) -> int:
    """Count the samples before `time`: ceil(seconds x rate), exact for whole rates."""
    return -int(-as_microseconds(time) * rate_hz // 1_000_000)
