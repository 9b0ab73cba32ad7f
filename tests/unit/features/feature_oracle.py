"""The features of one window by NumPy, SciPy and pandas, one sample series at a time."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import signal, stats

from hydrascope.features.config import FeatureConfig

Samples = NDArray[np.float64]


def expected_features(x: Samples, rate_hz: float, config: FeatureConfig) -> dict[str, float]:
    """Every feature of the window `x` [samples ≥ 1] with at least one finite sample."""
    valid = x[np.isfinite(x)]
    filled = np.interp(np.arange(len(x)), np.flatnonzero(np.isfinite(x)), valid)
    return {
        **_statistical(valid, config),
        **_frequency(filled, rate_hz, config),
        **_temporal(filled, rate_hz, config),
        **_patch(filled, config),
    }


def _statistical(valid: Samples, config: FeatureConfig) -> dict[str, float]:
    varies = np.ptp(valid) > 0
    return {
        "mean": valid.mean(),
        "std": valid.std(),
        "min": valid.min(),
        "max": valid.max(),
        **{f"percentile_{p:g}": np.percentile(valid, p) for p in config.percentiles},
        "skewness": stats.skew(valid) if varies else 0.0,
        "kurtosis": stats.kurtosis(valid) if varies else 0.0,
    }


def _frequency(filled: Samples, rate_hz: float, config: FeatureConfig) -> dict[str, float]:
    n = len(filled)
    amplitudes = 2 / n * np.abs(np.fft.rfft(filled - filled.mean()))
    if n % 2 == 0:
        amplitudes[-1] /= 2
    amplitudes, frequencies = amplitudes[1:], np.fft.rfftfreq(n, 1 / rate_hz)[1:]
    kept = np.zeros(config.num_frequencies)
    ranked = np.sort(amplitudes)[::-1][: config.num_frequencies]
    kept[: len(ranked)] = ranked
    varies = np.ptp(filled) > 0
    entropy = 0.0
    if varies and len(amplitudes) > 1:
        _, power = signal.periodogram(filled, rate_hz, detrend="constant")
        entropy = stats.entropy(power[1:]) / np.log(len(amplitudes))
    return {
        **{f"amplitude_{rank}": value for rank, value in enumerate(kept, start=1)},
        "dominant_frequency_hz": frequencies[amplitudes.argmax()] if varies else 0.0,
        "spectral_entropy": entropy,
    }


def _temporal(filled: Samples, rate_hz: float, config: FeatureConfig) -> dict[str, float]:
    n = len(filled)
    centred = filled - filled.mean()
    varies = np.ptp(filled) > 0
    values: dict[str, float] = {}
    for size in config.window_sizes:
        runs = np.lib.stride_tricks.sliding_window_view(filled, min(size, n))
        values[f"rolling_mean_{size}"] = runs[-1].mean()
        values[f"rolling_std_{size}"] = runs.std(axis=-1).mean()
    smooth = pd.Series(filled).ewm(span=config.ema_span, adjust=False).mean()
    values[f"ema_{config.ema_span}"] = smooth.iloc[-1]
    for lag in config.autocorrelation_lags:
        product = sum(centred[i] * centred[i + lag] for i in range(n - lag))
        values[f"autocorrelation_{lag}"] = product / np.sum(centred**2) if varies else 0.0
    time_s = np.arange(n) / rate_hz
    values["trend_per_s"] = stats.linregress(time_s, filled).slope if n > 1 else 0.0
    return values


def _patch(filled: Samples, config: FeatureConfig) -> dict[str, float]:
    positions = np.linspace(0, len(filled) - 1, config.patch_length)
    samples = np.interp(positions, np.arange(len(filled)), filled)
    return {f"patch_{i}": value for i, value in enumerate(samples)}
