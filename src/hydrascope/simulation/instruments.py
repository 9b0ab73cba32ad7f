"""What sensors get wrong: each its own calibration for life, noise, drift, gaps and stuck values.

How wrong sensors of a kind are was chosen such that a fault at its onset can be found, in the order
of good industrial ones, not taken from a data sheet; usual ones are up to four times as wrong. A
standard deviation is about half of these limits:

- pressure: 0.25 % of full scale
- flow: 1 % of the reading, 0.2 % of full scale
- vibration: 10 %, as ISO 2954 allows over the frequencies; that of mounting is left out
- temperature: 0.3 K + 0.5 % of the reading, as IEC 60751 class B; that of transmitters is left out
- viscosity: 2 % of the reading
- power: what a drive computes from its current; a combustion engine's controller, likewise
- position, speed, control signals: digital
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import SensorKind, SensorSpec

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Accuracy:
    """Standard deviations over the sensors of a kind."""

    offset: float
    """Share of the range."""
    gain: float
    """Share of the reading."""
    drift: float = 0.0003
    """Of the offset in 1000 h, share of the range."""
    noise: float = 0.001
    """From sample to sample, share of the range."""


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
"""Steps of the converter over the range."""
DROPOUTS_PER_H, DROPOUT_S = 0.6, (1.0, 8.0)
STUCK_PER_H, STUCK_S = 0.05, (5.0, 60.0)
"""Gaps, and values held for a while."""
JITTER_S = 0.004
"""Standard deviation of the sampling instant."""


class Instrument:
    """A sensor of one machine during one recording; read it piece by piece, in order of time."""

    def __init__(
        self, sensor: SensorSpec, machine: tuple[int, ...], recording: int, hour: float
    ) -> None:
        """Calibrate it.

        Args:
            sensor: What it is; it must have a range.
            machine: Seed of the machine. Gain, offset and drift hang on it alone.
            recording: Number of the recording, of which all else is.
            hour: Operating hours at its start.
        """
        name = zlib.crc32(sensor.id.encode())
        accuracy = ACCURACY[sensor.kind]
        assert sensor.range is not None
        self._low, self._high = sensor.range
        self._rate_hz = sensor.rate_hz
        self._rng = np.random.default_rng((*machine, name, recording + 1))
        gain, offset, drift = np.random.default_rng((*machine, name)).standard_normal(3)
        span = self._high - self._low
        self._gain = float(np.exp(accuracy.gain * gain))
        self._offset = span * float(
            accuracy.offset * offset + accuracy.drift * drift * hour / 1_000.0
        )
        self._noise = span * accuracy.noise
        self._step = span / 2**BITS
        self._last: float | None = None

    def read(self, truth: Values) -> NDArray[np.float32]:
        """Return what it says of `truth` [samples], NaN in its gaps."""
        rng, samples = self._rng, len(truth)
        jitter, noise = rng.standard_normal((2, samples))
        before = truth[0] if self._last is None else self._last
        self._last = float(truth[-1])
        said = np.diff(truth, prepend=before)
        said *= self._rate_hz * JITTER_S * self._gain * jitter
        said += self._gain * truth + self._offset + self._noise * noise
        said /= self._step
        np.rint(said, out=said)
        said *= self._step
        np.minimum(np.maximum(said, self._low, out=said), self._high, out=said)
        hours = samples / self._rate_hz / 3_600.0
        for _ in range(rng.poisson(STUCK_PER_H * hours)):
            begin, end = self._stretch(samples, *STUCK_S)
            said[begin:end] = said[begin]
        for _ in range(rng.poisson(DROPOUTS_PER_H * hours)):
            begin, end = self._stretch(samples, *DROPOUT_S)
            said[begin:end] = np.nan
        return said.astype(np.float32)

    def _stretch(self, samples: int, low_s: float, high_s: float) -> tuple[int, int]:
        begin = int(self._rng.integers(samples))
        return begin, begin + max(1, int(self._rng.uniform(low_s, high_s) * self._rate_hz))
