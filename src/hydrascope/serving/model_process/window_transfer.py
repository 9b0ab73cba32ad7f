"""Windows as they are sent to the model's process: each machine once, samples as bytes."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np

from hydrascope.schemas.machine import Machine
from hydrascope.schemas.signal import Signal
from hydrascope.serving.windows import Subject, TelemetryWindow

_Signal = tuple[str, float, bytes]
"""Sensor ID, rate in Hz, samples in float32: pickling bytes takes a fifth of an array's time."""
_Window = tuple[int, datetime, list[_Signal]]
"""Index of the machine among those sent with it, start, signals."""
PackedWindows = tuple[list[Subject | str], list[_Window]]
"""Machines, or the IDs of those that the receiver knows, and windows."""


class WindowSender:
    """Packs windows, and remembers which machines the receiver knows."""

    def __init__(self) -> None:
        self._sent: dict[str, Subject] = {}

    def add(self, machines: Iterable[Machine]) -> None:
        """Remember machines that the receiver knows, without given references."""
        self._sent |= {each.equipment.equipment_id: (each, None) for each in machines}

    def pack(self, windows: Sequence[TelemetryWindow]) -> PackedWindows:
        """Return windows in a form that pickles fast."""
        signals = [
            [(name, each.rate_hz, each.values.tobytes()) for name, each in window.signals.items()]
            for window in windows
        ]
        subjects: list[Subject | str] = []
        index: dict[tuple[int, int], int] = {}
        for window in windows:
            if _identity(window) in index:
                continue
            equipment_id = window.machine.equipment.equipment_id
            machine, given = self._sent.get(equipment_id, (None, None))
            known = machine is window.machine and given is window.given
            index[_identity(window)] = len(subjects)
            subject = (window.machine, window.given)
            subjects.append(equipment_id if known else subject)
            self._sent[equipment_id] = subject
        return subjects, [
            (index[_identity(each)], each.start, own)
            for each, own in zip(windows, signals, strict=True)
        ]


class WindowReceiver:
    """Unpacks windows, and keeps the machines that were sent."""

    def __init__(self) -> None:
        self._known: dict[str, Subject] = {}

    def add(self, machines: Iterable[Machine]) -> None:
        """Keep machines that the sender will name by their IDs."""
        self._known |= {each.equipment.equipment_id: (each, None) for each in machines}

    def unpack(self, packed: PackedWindows) -> list[TelemetryWindow]:
        """Return the windows that were packed; their samples are read-only."""
        named, windows = packed
        subjects = [self._known[each] if isinstance(each, str) else each for each in named]
        self._known |= {each[0].equipment.equipment_id: each for each in subjects}
        return [
            TelemetryWindow(subjects[index][0], start, _unpack(signals), subjects[index][1])
            for index, start, signals in windows
        ]


def _unpack(signals: Sequence[_Signal]) -> dict[str, Signal]:
    return {
        name: Signal(np.frombuffer(samples, np.float32), rate_hz)
        for name, rate_hz, samples in signals
    }


def _identity(window: TelemetryWindow) -> tuple[int, int]:
    return id(window.machine), id(window.given)
