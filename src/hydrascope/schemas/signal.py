"""Samples of a sensor, as every source of telemetry and every request hands them over."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Signal:
    """Equidistant samples of one sensor.

    Sample i belongs to the time `start + i / rate_hz`, start being the first sampling instant
    within the window that was asked for.
    """

    values: NDArray[np.float32]
    """[samples], in the sensor's unit; NaN where a value is missing."""
    rate_hz: float
    """The rate of these samples, which may be lower than the sensor's own."""
