"""The errors of sensors: calibration for life, drift, noise, gaps and stuck values, each its own.

The accuracies were chosen so that a fault can be found at its onset. They are those of good
industrial sensors, but not taken from a data sheet; the errors of usual ones are up to four times
as large. A standard deviation is about half of these limits:

- pressure: 0.25 % of full scale
- flow: 1 % of the reading, 0.2 % of full scale
- vibration: 10 %, as ISO 2954 allows over the frequencies; without the error of mounting
- temperature: 0.3 K + 0.5 % of the reading, as IEC 60751 class B; without that of a transmitter
- viscosity: 2 % of the reading
- power: as a drive computes it from its current, or a combustion engine's controller
- position, speed, control signals: digital
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import SensorKind, SensorSpec

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Accuracy:
    """The standard deviations of the errors of a kind of sensors."""

    offset: float
    """A share of the range."""
    gain: float
    """A share of the reading."""
    drift: float = 0.0003
    """The change of the offset in 1000 h, as a share of the range."""
    noise: float = 0.001
    """The scatter from sample to sample, as a share of the range."""


_DIGITAL = Accuracy(offset=0.0003, gain=0.0005, drift=0.0, noise=0.0002)
ACCURACY: Mapping[str, Accuracy] = {
    SensorKind.PRESSURE: Accuracy(offset=0.00125, gain=0.001, drift=0.0001),
    SensorKind.FLOW: Accuracy(offset=0.001, gain=0.005, drift=0.0001),
    SensorKind.VIBRATION: Accuracy(offset=0.001, gain=0.05, noise=0.002),
    SensorKind.TEMPERATURE: Accuracy(offset=0.0015, gain=0.0025, noise=0.0005),
    SensorKind.VISCOSITY: Accuracy(offset=0.0005, gain=0.01, noise=0.0005),
    SensorKind.POWER: Accuracy(offset=0.0025, gain=0.01),
    SensorKind.POSITION: _DIGITAL,
    SensorKind.SPEED: _DIGITAL,
    SensorKind.CONTROL_SIGNAL: _DIGITAL,
}
BITS = 14
"""The resolution of the converter over the range."""
DROPOUTS_PER_H, DROPOUT_S = 0.6, (1.0, 8.0)
STUCK_PER_H, STUCK_S = 0.05, (5.0, 60.0)
"""The rates and durations (lowest, highest) of gaps and of stuck values."""
JITTER_S = 0.004
"""The standard deviation of the sampling instants."""


class SensorGroup:
    """The sensors of one rate of a machine during one recording.

    Read them piece by piece, in order of time.

    Shapes: S sensors.

    Args:
        sensors: The sensors; each must have a range, and all the same rate.
        machine: The machine's seed, which alone determines gain, offset and drift of each sensor.
        recording: The number of the recording, which determines all other errors.
        hour: The operating hours at its start.
    """

    def __init__(
        self, sensors: Sequence[SensorSpec], machine: tuple[int, ...], recording: int, hour: float
    ) -> None:
        ranges = [sensor.range for sensor in sensors if sensor.range is not None]
        assert len(ranges) == len(sensors)
        self._low, self._high = np.array(ranges).T[..., None]
        self._rate_hz = sensors[0].rate_hz
        self._rngs = [
            np.random.default_rng((*machine, zlib.crc32(sensor.id.encode()), recording + 1))
            for sensor in sensors
        ]
        accuracies = [ACCURACY[sensor.kind] for sensor in sensors]
        deviations = np.array([(a.gain, a.offset, a.drift, a.noise) for a in accuracies])
        gain, offset, drift, noise = deviations.T[..., None]
        draws = np.array([_calibration(machine, sensor.id) for sensor in sensors]).T[..., None]
        span = self._high - self._low
        self._gain = np.exp(gain * draws[0])
        self._offset = span * (offset * draws[1] + drift * draws[2] * hour / 1_000.0)
        self._noise = span * noise
        self._step = span / 2**BITS
        self._last: Values | None = None

    def read(self, truth: Values) -> NDArray[np.float32]:
        """Return the readings of `truth` [S, samples], NaN in gaps."""
        draws = np.empty((len(truth), 2, truth.shape[1]))
        for rng, row in zip(self._rngs, draws, strict=True):
            rng.standard_normal(out=row)
        jitter, noise = draws[:, 0], draws[:, 1]
        reading = np.diff(truth, prepend=truth[:, :1] if self._last is None else self._last)
        self._last = truth[:, -1:].copy()
        reading *= self._rate_hz * JITTER_S * self._gain * jitter
        reading += self._gain * truth + self._offset + self._noise * noise
        reading /= self._step
        np.rint(reading, out=reading)
        reading *= self._step
        np.minimum(np.maximum(reading, self._low, out=reading), self._high, out=reading)
        for rng, row in zip(self._rngs, reading, strict=True):
            self._interrupt(rng, row)
        return reading.astype(np.float32)

    def _interrupt(self, rng: np.random.Generator, reading: Values) -> None:
        """Add stuck values and gaps to a sensor's readings [samples], in place."""
        hours = len(reading) / self._rate_hz / 3_600.0
        for _ in range(rng.poisson(STUCK_PER_H * hours)):
            stuck = self._stretch(rng, len(reading), *STUCK_S)
            reading[stuck] = reading[stuck.start]
        for _ in range(rng.poisson(DROPOUTS_PER_H * hours)):
            reading[self._stretch(rng, len(reading), *DROPOUT_S)] = np.nan

    def _stretch(
        self, rng: np.random.Generator, samples: int, low_s: float, high_s: float
    ) -> slice:
        begin = int(rng.integers(samples))
        return slice(begin, begin + max(1, int(rng.uniform(low_s, high_s) * self._rate_hz)))


@lru_cache(maxsize=1024)
def _calibration(machine: tuple[int, ...], sensor: str) -> Values:
    """Return the standard normal draws of gain, offset and drift.

    They are kept, because a machine's recordings are read one after the other.
    """
    rng = np.random.default_rng((*machine, zlib.crc32(sensor.encode())))
    return rng.standard_normal(3)
