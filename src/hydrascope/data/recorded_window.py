"""The telemetry of one window, also of one that starts before its recording."""

from datetime import datetime, timedelta

import numpy as np

from hydrascope.schemas.time import TimeWindow
from hydrascope.telemetry.source import Signal, TelemetrySource


def recorded_window(
    source: TelemetrySource, equipment_id: str, start: datetime, window_s: float
) -> dict[str, Signal]:
    """Return the signals of a window; samples of a padded one before its recording are NaN.

    Raises:
        ValueError: The machine is unknown or the window is not within a recording.
        SpecError: A file is damaged.
        ServiceError: A database does not answer.
    """
    end = start + timedelta(seconds=window_s)
    begin = max(start, _start_of_recording(source, equipment_id, end) or start)
    signals = source.read(equipment_id, TimeWindow(start=begin, end=end))
    before_s = (begin - start).total_seconds()
    return {name: _later(signal, before_s) for name, signal in signals.items()}


def _start_of_recording(
    source: TelemetrySource, equipment_id: str, end: datetime
) -> datetime | None:
    """Return the start of the recording in which a window ends."""
    extents = source.extents(equipment_id)
    return next((each.start for each in extents if each.start < end <= each.end), None)


def _later(signal: Signal, before_s: float) -> Signal:
    missing = np.full(round(before_s * signal.rate_hz), np.nan, dtype=np.float32)
    return Signal(np.concatenate([missing, signal.values]), signal.rate_hz)
