"""The cycles of the real rig, read as the machine file of the simulated one describes it."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from hydrascope.schemas import Machine, TimeWindow
from hydrascope.schemas.machine_file import machines_in
from hydrascope.telemetry.calibration.windows import read_signals
from hydrascope.telemetry.rig.severities import GRADES, REFERENCE, label_of
from hydrascope.telemetry.source import Signal
from hydrascope.telemetry.zema import ZemaSource


class RecordedRig:
    """The real rig with the sensors, the labels and the build of `SimulatedRigs`.

    Label `reference` is 1 in the first stretch of cycles in which all components were as new.

    Args:
        machine_file: The machine file of the simulated rig.
        folder: As of `ZemaSource`.

    Raises:
        SpecError: A file is missing or wrong.
    """

    def __init__(self, machine_file: str, folder: str | None = None) -> None:
        self._rig = ZemaSource(folder)
        described = machines_in(Path(machine_file))[0]
        equipment = described.equipment.model_copy(update={"equipment_id": self._rig.equipment_id})
        self._machine = described.model_copy(update={"equipment": equipment})

    @property
    def fingerprint(self) -> str:
        """Hash of the recording and of the sensors that are read of it."""
        sensors = self._machine.topology.model_dump_json()
        return hashlib.sha256(f"{self._rig.fingerprint} {sensors}".encode()).hexdigest()

    def machines(self) -> Mapping[str, Machine]:
        """Return the rig, the only machine."""
        return {self._rig.equipment_id: self._machine}

    def extents(self, equipment_id: str) -> list[TimeWindow]:
        """Return the single stretch that contains all cycles."""
        return self._rig.extents(equipment_id)

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        """Return the samples of the simulated sensors with `window.start <= time < window.end`.

        Raises:
            ValueError: The machine is not the rig or the window leaves the recording.
        """
        return read_signals(self._rig, equipment_id, self._machine, window)

    def labels(self, equipment_id: str) -> pd.DataFrame:
        """Return the labels of `ZemaSource`, and those of `SimulatedRigs`."""
        table = self._rig.labels(equipment_id)
        for component, grades in GRADES.items():
            grade = table[component].to_numpy(dtype=np.float64)
            table[label_of(component)] = grades.severity(grade)
        table[REFERENCE] = _first_sound(table).astype(np.float64)
        return table


def _first_sound(table: pd.DataFrame) -> "pd.Series[bool]":
    """Return which rows are in the first stretch of rows without any severity."""
    sound = (table[[label_of(component) for component in GRADES]] == 0.0).all(axis=1)
    stretch = (sound != sound.shift()).cumsum()
    first = stretch[sound].min()
    return sound & (stretch == first)


def reference_windows(table: pd.DataFrame, window_s: float) -> list[TimeWindow]:
    """Return the windows of whole length in the references of a table of labels, in order."""
    chosen = table[table[REFERENCE] == 1.0]
    start, end = chosen["start"].min(), chosen["end"].max()
    count = int((end - start).total_seconds() / window_s + 1e-6)
    length = timedelta(seconds=window_s)
    starts = [start + number * length for number in range(count)]
    return [TimeWindow(start=each, end=each + length) for each in starts]
