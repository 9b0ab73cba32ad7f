"""The interface of all sources of telemetry, and what only some of them have."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Protocol

import numpy as np
import pandas as pd
from pydantic import PlainValidator

from hydrascope.schemas import Machine, TimeWindow
from hydrascope.schemas.signal import Signal as Signal

METHODS = ("machines", "extents", "read", "labels")
"""Methods by which a source is recognised; the fingerprint may take long to compute."""


class TelemetrySource(Protocol):
    """Telemetry and labels of one or more machines."""

    @property
    def fingerprint(self) -> str:
        """Hash of all content; sources with equal fingerprints return equal data."""
        ...

    def machines(self) -> Mapping[str, Machine]:
        """Return the machines by equipment id."""
        ...

    def extents(self, equipment_id: str) -> list[TimeWindow]:
        """Return the contiguous stretches of recorded telemetry, in order of time."""
        ...

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        """Return the samples with `window.start <= time < window.end`, by sensor id.

        Raises:
            ValueError: The machine is unknown or the window leaves its extents.
        """
        ...

    def labels(self, equipment_id: str) -> pd.DataFrame:
        """Return what is known of the machine's condition.

        The columns are `start` and `end` (UTC) and one per label. A label of one component among
        several is called `<component_id>.<label>`. A missing label is NaN.
        """
        ...


def machine_fingerprint(source: TelemetrySource, equipment_id: str) -> str:
    """Return a hash of one machine's telemetry; that of other machines does not change it.

    It is that of the whole source if the source has no `machine_fingerprint`.
    """
    own: Callable[[str], str] | None = getattr(source, "machine_fingerprint", None)
    return source.fingerprint if own is None else own(equipment_id)


def remarks(source: TelemetrySource) -> list[str]:
    """Return the problems that harm a training, one line each.

    There are none if the source does not examine its telemetry.
    """
    own: Callable[[], list[str]] | None = getattr(source, "remarks", None)
    return [] if own is None else own()


def within(signals: Mapping[str, Signal], start: datetime, window: TimeWindow) -> dict[str, Signal]:
    """Return copies of the samples in a window, of signals that begin at `start`."""
    ends_s = [(time - start).total_seconds() for time in (window.start, window.end)]
    found = {}
    for name, signal in signals.items():
        first, end = (int(np.ceil(each * signal.rate_hz - 1e-6)) for each in ends_s)
        found[name] = Signal(signal.values[first:end].copy(), signal.rate_hz)
    return found


def _source(value: object) -> object:
    if not all(callable(getattr(value, name, None)) for name in METHODS):
        raise ValueError(f"expected a source of telemetry, which has {', '.join(METHODS)}")
    return value


CheckedSource = Annotated[TelemetrySource, PlainValidator(_source)]
"""A source as an argument of the Python interface."""
