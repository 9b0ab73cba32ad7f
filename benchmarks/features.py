"""Speed of the feature engineer beside one sort and one Fourier transform of the same samples.

And beside tsfresh and catch22, which `pip install hydrascope[bench]` brings. Times are CPU times of
the one thread that computes, so that a busy machine disturbs them less; medians over repeats in
which the measured functions take turns.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks._fleet import FEATURES
from benchmarks._rows import Row
from hydrascope.features.engineer import FeatureEngineer

SAMPLES = 1000
RATE_HZ = 100.0
REPEATS = 50
MACHINE_WINDOWS = 12 * 10  # sensors × sub-windows
PEER_REPEATS = 5

# Of each of our features the nearest that tsfresh has; it has no moving average. What it must
# compute for the ten largest amplitudes, it computes for the first ten.
TSFRESH_SETTINGS: dict[str, list[dict[str, Any]] | None] = {
    "mean": None,
    "standard_deviation": None,
    "minimum": None,
    "maximum": None,
    "quantile": [{"q": q} for q in (0.05, 0.25, 0.5, 0.75, 0.95)],
    "skewness": None,
    "kurtosis": None,
    "fft_coefficient": [{"coeff": k, "attr": "abs"} for k in range(1, 11)],
    "fft_aggregated": [{"aggtype": "centroid"}],
    "fourier_entropy": [{"bins": 100}],
    "agg_linear_trend": [
        {"attr": "intercept", "chunk_len": n, "f_agg": f}
        for f in ("mean", "var")
        for n in (5, 10, 30)
    ],
    "autocorrelation": [{"lag": lag} for lag in (1, 5, 10)],
    "linear_trend": [{"attr": "slope"}],
}


def run() -> list[Row]:
    """Measure in float32 on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [*_rows(MACHINE_WINDOWS), *_rows(10 * MACHINE_WINDOWS), *_peer_rows()]
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def _rows(windows: int) -> list[Row]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(windows, SAMPLES, generator=generator)
    with_gaps = x.masked_fill(torch.rand(x.shape, generator=generator) < 0.01, torch.nan)
    engineer = FeatureEngineer(FEATURES)
    floor_s, whole_s, gaps_s = _median_times(
        lambda: _sort_and_transform(x),
        lambda: engineer(x, RATE_HZ),
        lambda: engineer(with_gaps, RATE_HZ),
    )
    label = f"{engineer.num_features} features of {windows} windows"
    rows = [
        _row(f"{label} / (sort + rfft)", whole_s / floor_s, "×", 1.3),
        _row(f"{label}, 1 % of the samples missing / (sort + rfft)", gaps_s / floor_s, "×", None),
    ]
    if windows == MACHINE_WINDOWS:
        rows.append(_row("a machine of 12 sensors × 10 sub-windows", whole_s * 1e3, "ms", 20))
    return rows


def _sort_and_transform(x: Tensor) -> None:
    torch.sort(x)
    torch.fft.rfft(x)


@torch.no_grad()
def _peer_rows() -> list[Row]:
    """How many times as long others take for the windows of one machine, in this process."""
    import pycatch22
    from tsfresh import extract_features

    x = torch.randn(MACHINE_WINDOWS, SAMPLES, generator=torch.Generator().manual_seed(0))
    frame = pd.DataFrame(
        {
            "window": np.repeat(np.arange(MACHINE_WINDOWS), SAMPLES),
            "sample": np.tile(np.arange(SAMPLES), MACHINE_WINDOWS),
            "value": x.flatten().double().numpy(),
        }
    )
    lists = x.double().tolist()  # what catch22's binding takes
    engineer = FeatureEngineer(FEATURES)
    ours_s, tsfresh_s, catch22_s = _median_times(
        lambda: engineer(x, RATE_HZ),
        lambda: extract_features(
            frame,
            column_id="window",
            column_sort="sample",
            default_fc_parameters=TSFRESH_SETTINGS,
            n_jobs=0,
            disable_progressbar=True,
        ),
        lambda: [pycatch22.catch22_all(window) for window in lists],
        repeats=PEER_REPEATS,
    )
    per_window_us = 1e6 * ours_s / MACHINE_WINDOWS
    return [
        _row(f"{engineer.num_features} features of one window", per_window_us, "µs", None),
        _row("tsfresh, the same kinds / ours", tsfresh_s / ours_s, "×", 20, at_least=True),
        _row("catch22, its 22 / our 34", catch22_s / ours_s, "×", 20, at_least=True),
    ]


def _median_times(*functions: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for function, taken in zip(functions, times, strict=True):
            start = time.thread_time()
            function()
            taken.append(time.thread_time() - start)
    return [statistics.median(taken) for taken in times]


def _row(name: str, value: float, unit: str, goal: float | None, *, at_least: bool = False) -> Row:
    better: Literal["lower", "higher"] = "higher" if at_least else "lower"
    kept = goal is None or (value >= goal if at_least else value <= goal)
    return Row(name=name, value=value, unit=unit, goal=goal, ok=kept, better=better)


if __name__ == "__main__":
    for row in run():
        print(row)
