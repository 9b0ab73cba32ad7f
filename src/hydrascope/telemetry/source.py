"""Where signals come from: what every source of telemetry answers."""

from collections.abc import Mapping
from typing import Protocol

import pandas as pd

from hydrascope.schemas import Machine, TimeWindow
from hydrascope.schemas.signal import Signal

__all__ = ["Signal", "TelemetrySource"]


class TelemetrySource(Protocol):
    """Telemetry and labels of one or more machines."""

    @property
    def fingerprint(self) -> str:
        """Hash of all content: two sources with one fingerprint answer alike."""
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

        Columns `start` and `end` (UTC) and one column a label; a label of one component among
        several is `<component_id>.<label>`. NaN where a label is missing.
        """
        ...
