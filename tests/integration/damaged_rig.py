"""The real rig as a careless operator would record it."""

import numpy as np

from hydrascope.schemas import TimeWindow
from hydrascope.telemetry.source import Signal
from hydrascope.telemetry.zema import ZemaSource


class DamagedRig(ZemaSource):
    """A missing sensor, a constant one, a cycle without data, gaps, and one sensor at 10 Hz."""

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        """Read the rig and damage what was read."""
        signals = super().read(equipment_id, window)
        del signals["PS4"]
        signals["CE"] = Signal(np.full_like(signals["CE"].values, 42.0), 1.0)
        for name, signal in signals.items():
            signal.values[60:120] = np.nan
            if name.startswith("TS"):
                signal.values[5::7] = np.nan
        signals["FS1"] = Signal(np.repeat(signals["FS1"].values, 10), 10.0)
        return signals
