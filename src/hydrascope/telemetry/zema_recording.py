"""Load cycles of the ZeMA set with their labels, and the embedded set at 1 Hz.

See `assets/zema/README.md` for source, licence and meaning.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from hydrascope.telemetry.source import Signal

ASSETS = resources.files("hydrascope") / "assets" / "zema"

CYCLE_S = 60
"""The duration of a load cycle."""

SET_CYCLES = 2205
"""The number of cycles in the whole set."""

LABEL_VALUES = {
    "cooler": (3, 20, 100),
    "valve": (73, 80, 90, 100),
    "pump": (0, 1, 2),
    "accumulator": (90, 100, 115, 130),
    "stable": (0, 1),
}
"""The labels in the order of their columns, each with its possible values.

Cooler and valve are in %, pump is a grade of leakage, accumulator is in bar. Stable is 0 (not 1!)
if conditions were stable during the cycle.
"""


@dataclass(frozen=True, eq=False)
class Recording:
    """Consecutive load cycles."""

    signals: Mapping[str, Signal]
    """The signals by sensor id, all cycles concatenated."""
    labels: NDArray[np.int16]
    """The labels [cycles, 5], in the order of `LABEL_VALUES`."""
    content_hash: str

    @property
    def cycles(self) -> int:
        """The number of load cycles."""
        return len(self.labels)


def load_embedded() -> Recording:
    """Load the whole set at 1 Hz, which comes with the package."""
    content = (ASSETS / "zema_1hz.npz").read_bytes()
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        # Telemetry is [cycles, sensors, 60], labels are [cycles, 5].
        telemetry, labels = arrays["telemetry"], arrays["labels"]
        sensors = [str(sensor) for sensor in arrays["sensors"]]
    signals = {
        sensor: Signal(telemetry[:, column].reshape(-1), rate_hz=1.0)
        for column, sensor in enumerate(sensors)
    }
    return Recording(signals, labels, hashlib.sha256(content).hexdigest())
