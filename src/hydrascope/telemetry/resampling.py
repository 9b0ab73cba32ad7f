"""Samples at any times → samples at regular instants.

T is the sensor's own period (one over the machine file's rate) and t an instant, both in
microseconds. The result is NaN where nothing was recorded. Gaps are never bridged here; only
`features.cleaning` can fill them.

- interpolate: linear between two samples at most 1.5 T apart; beside a gap, the sample within
  T / 2. It is exact where a sample lies on its instant, and insensitive to jitter and phase.
- mean: the mean of the samples in [t - T / 2, t - T / 2 + width). The width is T or the period of
  the instants, whichever is longer, so a sample close to its instant is never assigned to the
  previous one. Use this method to reduce the rate without aliasing.
- hold: the last sample at or before t, if it is not older than `hold_us`.
"""

import math
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import SensorSpec
from hydrascope.schemas.base import CheckedModel, Positive
from hydrascope.schemas.samples import Samples
from hydrascope.telemetry.source import Signal


class ResampleMethod(StrEnum):
    """The methods of resampling, which the module describes."""

    INTERPOLATE = "interpolate"
    MEAN = "mean"
    HOLD = "hold"


class ResampleSettings(CheckedModel):
    """How all sensors are resampled to regular instants."""

    method: ResampleMethod = ResampleMethod.INTERPOLATE
    rate_hz: Positive | None = None
    """One rate for all sensors; None uses each sensor's own rate from the machine file."""
    hold_s: Positive | None = None
    """How long `hold` repeats a sample; None: 1.5 periods of the sensor."""

    @property
    def hold_us(self) -> int | None:
        """`hold_s` in microseconds."""
        return None if self.hold_s is None else round(self.hold_s * 1e6)


Times = NDArray[np.int64]
Values = NDArray[np.float32]

_REACH = 1.5
"""The largest distance, in periods, of two consecutive samples; half a period allows for jitter."""
_ROUNDING = 1e-6
"""The tolerance, in periods, of a rounded time."""


def instants(extent_us: int, first_us: int, end_us: int, rate_hz: float) -> Times:
    """Return the instants `extent_us + k / rate_hz` in [first_us, end_us)."""
    first = math.ceil((first_us - extent_us) * rate_hz / 1e6 - _ROUNDING)
    end = math.ceil((end_us - extent_us) * rate_hz / 1e6 - _ROUNDING)
    times: Times = np.rint(np.arange(first, end) * (1e6 / rate_hz)).astype(np.int64)
    times += extent_us
    return times


def margin_us(rate_hz: float, hold_us: int | None) -> int:
    """Return how far from an instant a sample can affect its value, in microseconds."""
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
        samples: Good samples in order of time, with a `margin_us` on both sides, or None.
        sensor: The sensor.
        origin_us: Time from which the instants are counted.
        first_us: Start of the signal.
        end_us: End of the signal, exclusive.
        settings: Method and rate.
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
    time_us: Times,
    value: Values,
    at_us: Times,
    *,
    period_us: float,
    rate_hz: float,
    method: ResampleMethod,
    hold_us: int | None,
) -> Values:
    """Return the values [instants].

    Args:
        time_us: Strictly ascending times [n].
        value: Finite values [n].
        at_us: Ascending instants [instants].
        period_us: The sensor's period T.
        rate_hz: Rate of the instants.
        method: Method, as the module describes.
        hold_us: Longest time to repeat a sample with `hold`; None: 1.5 T.
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


def _interpolate(time_us: Times, value: Values, at_us: Times, period_us: float) -> Values:
    after = np.searchsorted(time_us, at_us, side="right")
    left, right = (after - 1).clip(min=0), after.clip(max=len(time_us) - 1)
    since, until = at_us - time_us[left], time_us[right] - at_us
    before, behind = since >= 0, until >= 0  # false outside the recorded time
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


def _mean(time_us: Times, value: Values, at_us: Times, period_us: float, width_us: float) -> Values:
    begin = at_us - period_us / 2
    first = np.searchsorted(time_us, begin)
    end = np.searchsorted(time_us, begin + width_us)
    # `reduceat` needs an element at the end index; every second sum spans an end to the next first.
    padded = np.append(value.astype(np.float64), 0.0)
    sums = np.add.reduceat(padded, np.stack([first, end], axis=1).ravel())[::2]
    count = end - first
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan).astype(np.float32)


def _hold(time_us: Times, value: Values, at_us: Times, hold_us: float) -> Values:
    last = np.searchsorted(time_us, at_us, side="right") - 1
    held = last.clip(min=0)
    fresh = (last >= 0) & (at_us - time_us[held] <= hold_us)
    return np.where(fresh, value[held], np.float32(np.nan))
