"""Samples at any times → samples at regular instants.

T is the sensor's own period (one over the machine file's rate), t the instants, all in
microseconds. Where nothing was recorded the result is NaN: real gaps are never bridged here, that
is `features.cleaning`'s to do, if at all.

- interpolate: between two samples at most 1.5 T apart linearly; beside a gap the sample within
  T / 2. Exact where a sample stands on its instant, and unmoved by jitter and phase.
- mean: of the samples in [t - T / 2, t - T / 2 + width), the width being the longer of T and the
  period of the instants. Samples that stand near their instants are never counted to the one
  before. Going to a lower rate, this is the one that does not alias.
- hold: the last sample at or before t, if not older than `hold_us`.
"""

import math
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hydrascope.schemas import SensorSpec
from hydrascope.schemas.base import Positive
from hydrascope.schemas.samples import Samples
from hydrascope.telemetry.source import Signal


class ResampleMethod(StrEnum):
    """How samples at any times become samples at regular instants; see the module."""

    INTERPOLATE = "interpolate"
    MEAN = "mean"
    HOLD = "hold"


class ResampleSettings(BaseModel):
    """How every sensor is put on regular instants."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: ResampleMethod = ResampleMethod.INTERPOLATE
    rate_hz: Positive | None = None
    """One rate for all sensors; None: each sensor's own, from the machine file."""
    hold_s: Positive | None = None
    """How long `hold` repeats a sample; None: one and a half of the sensor's own periods."""

    @property
    def hold_us(self) -> int | None:
        """The same in microseconds."""
        return None if self.hold_s is None else round(self.hold_s * 1e6)


_REACH = 1.5
"""Periods between two samples with none missing: half a period is left for jitter."""
_ROUNDING = 1e-6
"""Periods by which a rounded time may miss an instant."""


def instants(extent_us: int, first_us: int, end_us: int, rate_hz: float) -> NDArray[np.int64]:
    """Return the k-th times `extent_us + k / rate_hz` in [first_us, end_us)."""
    first = math.ceil((first_us - extent_us) * rate_hz / 1e6 - _ROUNDING)
    end = math.ceil((end_us - extent_us) * rate_hz / 1e6 - _ROUNDING)
    times: NDArray[np.int64] = np.rint(np.arange(first, end) * (1e6 / rate_hz)).astype(np.int64)
    times += extent_us
    return times


def margin_us(rate_hz: float, hold_us: int | None) -> int:
    """Return how far from an instant the samples may lie that decide its value."""
    return max(hold_us or 0, math.ceil(_REACH * 1e6 / rate_hz)) + 1


def regular(
    samples: Samples | None,
    sensor: SensorSpec,
    *,
    origin_us: int,
    first_us: int,
    end_us: int,
    settings: ResampleSettings,
) -> Signal:
    """Return a sensor's signal in [first_us, end_us).

    Args:
        samples: Good ones, in order of time, from `margin_us` before to as long behind; None: none.
        sensor: That they are of.
        origin_us: Time from which the instants are counted.
        first_us: First time that is wanted.
        end_us: Time behind the last one.
        settings: How.
    """
    rate_hz = settings.rate_hz or sensor.rate_hz
    at_us = instants(origin_us, first_us, end_us, rate_hz)
    if samples is None:
        return Signal(np.full(len(at_us), np.nan, dtype=np.float32), rate_hz)
    values = resample(
        samples.time_us,
        samples.value,
        at_us,
        period_us=1e6 / sensor.rate_hz,
        rate_hz=rate_hz,
        method=settings.method,
        hold_us=settings.hold_us,
    )
    return Signal(values, rate_hz)


def resample(
    time_us: NDArray[np.int64],
    value: NDArray[np.float32],
    at_us: NDArray[np.int64],
    *,
    period_us: float,
    rate_hz: float,
    method: ResampleMethod,
    hold_us: int | None,
) -> NDArray[np.float32]:
    """Return [instants] values; see the module.

    Args:
        time_us: [n] ascending, each once.
        value: [n], finite.
        at_us: [instants], ascending.
        period_us: T.
        rate_hz: Of the instants.
        method: How.
        hold_us: For `hold`; None: 1.5 T.
    """
    if not len(time_us) or not len(at_us):
        return np.full(len(at_us), np.nan, dtype=np.float32)
    match method:
        case ResampleMethod.INTERPOLATE:
            return _interpolate(time_us, value, at_us, period_us)
        case ResampleMethod.MEAN:
            return _mean(time_us, value, at_us, period_us, max(period_us, 1e6 / rate_hz))
        case ResampleMethod.HOLD:
            return _hold(time_us, value, at_us, hold_us or _REACH * period_us)


def _interpolate(
    time_us: NDArray[np.int64],
    value: NDArray[np.float32],
    at_us: NDArray[np.int64],
    period_us: float,
) -> NDArray[np.float32]:
    after = np.searchsorted(time_us, at_us, side="right")
    left, right = (after - 1).clip(min=0), after.clip(max=len(time_us) - 1)
    since, until = at_us - time_us[left], time_us[right] - at_us
    before, behind = since >= 0, until >= 0  # not so beyond the first and the last sample
    span = time_us[right] - time_us[left]
    weight = since / np.maximum(span, 1)
    between = value[left] * (1 - weight) + value[right] * weight
    half = period_us / 2
    beside = np.where(
        before & (since < half),
        value[left],
        np.where(behind & (until <= half), value[right], np.float32(np.nan)),
    )
    inside = before & behind & (span <= _REACH * period_us)
    return np.where(since == 0, value[left], np.where(inside, between, beside)).astype(np.float32)


def _mean(
    time_us: NDArray[np.int64],
    value: NDArray[np.float32],
    at_us: NDArray[np.int64],
    period_us: float,
    width_us: float,
) -> NDArray[np.float32]:
    begin = at_us - period_us / 2
    first = np.searchsorted(time_us, begin)
    end = np.searchsorted(time_us, begin + width_us)
    # One value past the end lets `reduceat` name it; every second sum is from an end to a first.
    padded = np.append(value.astype(np.float64), 0.0)
    sums = np.add.reduceat(padded, np.stack([first, end], axis=1).ravel())[::2]
    count = end - first
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan).astype(np.float32)


def _hold(
    time_us: NDArray[np.int64],
    value: NDArray[np.float32],
    at_us: NDArray[np.int64],
    hold_us: float,
) -> NDArray[np.float32]:
    last = np.searchsorted(time_us, at_us, side="right") - 1
    held = last.clip(min=0)
    fresh = (last >= 0) & (at_us - time_us[held] <= hold_us)
    return np.where(fresh, value[held], np.float32(np.nan))
