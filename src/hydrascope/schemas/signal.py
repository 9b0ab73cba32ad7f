"""Signals, the common form of all telemetry from sources and requests."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Signal:
    """Equidistant samples of one sensor.

    Sample i is at `start + i / rate_hz`, where start is the first sampling instant in the
    requested window.
    """

    values: NDArray[np.float32]
    """The values [samples] in the sensor's unit; NaN where missing."""
    rate_hz: float
    """The rate of the samples, which can be lower than the sensor's own."""
