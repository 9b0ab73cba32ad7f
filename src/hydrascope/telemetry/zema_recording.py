"""The ZeMA set as recorded: cycles of 17 sensors and their labels; the embedded 1 Hz set.

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
"""Duration of a load cycle."""

SET_CYCLES = 2205
"""Cycles of the whole set."""

LABEL_VALUES = {
    "cooler": (3, 20, 100),
    "valve": (73, 80, 90, 100),
    "pump": (0, 1, 2),
    "accumulator": (90, 100, 115, 130),
    "stable": (0, 1),
}
"""The labels in the order of their columns, each with the values it takes.

Cooler and valve in %, pump as a grade of leakage, accumulator in bar; stable is 0 (not 1!) when
the cycle's conditions were stable.
"""


@dataclass(frozen=True, eq=False)
class Recording:
    """Consecutive load cycles."""

    signals: Mapping[str, Signal]
    """By sensor id, all cycles end to end."""
    labels: NDArray[np.int16]
    """[cycles, 5], the columns of `LABEL_VALUES`."""
    content_hash: str

    @property
    def cycles(self) -> int:
        """Number of load cycles."""
        return len(self.labels)


def load_embedded() -> Recording:
    """Return the whole set at 1 Hz, which comes with the package."""
    content = (ASSETS / "zema_1hz.npz").read_bytes()
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        telemetry, labels = (
            arrays["telemetry"],
            arrays["labels"],
        )  # [cycles, sensors, 60], [cycles, 5]
        sensors = [str(sensor) for sensor in arrays["sensors"]]
    signals = {
        sensor: Signal(telemetry[:, column].reshape(-1), rate_hz=1.0)
        for column, sensor in enumerate(sensors)
    }
    return Recording(signals, labels, hashlib.sha256(content).hexdigest())
