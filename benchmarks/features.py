"""Speed of the feature engineer beside one sort and one Fourier transform of the same samples.

And beside tsfresh and catch22, which `pip install hydrascope[bench]` brings. Times are CPU times of
the one thread that computes, so that a busy machine disturbs them less; medians over repeats in
which the measured functions take turns. `--write` puts the table into docs/results.md.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks._document import ROOT, how_measured, write_rows
from benchmarks._fleet import FEATURES
from benchmarks._rows import Row, at_least, at_most
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.telemetry.zema import ZemaSource

SAMPLES = 1000
RATE_HZ = 100.0
REPEATS = 50
MACHINE_WINDOWS = 12 * 10  # sensors × sub-windows
PEER_REPEATS = 5
MISSING_SHARE = 0.01
GOAL = 1.3
RIG = ROOT / "tests" / "data" / "zema_native"
"""Ten load cycles of the original files."""
RIG_WINDOW_S = 6
"""A tenth of a load cycle, as in `experiment=zema`."""

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
        return [*_ratio_rows(), *_peer_rows()]
    finally:
        torch.set_num_threads(threads)


def write() -> Path:
    """Measure and write the table."""
    return write_rows(
        "features",
        run(),
        f"{FEATURES.sensor_feature_count} features in float32 on one thread, processor time, "
        f"medians of {REPEATS} rounds in which everything takes turns. The floor is one "
        "`torch.sort` and one `torch.fft.rfft` of the same samples. The random walk and the white "
        "noise have windows of 1000 samples, the rig those of 6 s at its native rates. "
        f"{how_measured('features')}",
    )


def _signals() -> dict[str, Tensor]:
    """Return windows [windows, samples] by name: made ones, and those of the rig."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(10 * MACHINE_WINDOWS, SAMPLES, generator=generator)
    found = {
        f"white noise, {MACHINE_WINDOWS} windows": noise[:MACHINE_WINDOWS],
        f"white noise, {len(noise)} windows": noise,
        f"a random walk, {MACHINE_WINDOWS} windows": noise[:MACHINE_WINDOWS].cumsum(-1),
        f"a random walk, {len(noise)} windows": noise.cumsum(-1),
    }
    source = ZemaSource(RIG)
    (extent,) = source.extents("zema")
    signals = source.read("zema", extent).values()
    for rate_hz in (100, 10, 1):
        samples = [signal.values for signal in signals if signal.rate_hz == rate_hz]
        windows = torch.from_numpy(np.stack(samples)).reshape(-1, rate_hz * RIG_WINDOW_S)
        found[f"the rig at {rate_hz} Hz, {len(windows)} windows of {windows.shape[1]}"] = windows
    return found


@torch.no_grad()
def _ratio_rows() -> Iterator[Row]:
    engineer = FeatureEngineer(FEATURES)
    of_rig: list[list[float]] = []
    for name, x in _signals().items():
        generator = torch.Generator().manual_seed(1)
        missing = torch.rand(x.shape, generator=generator) < MISSING_SHARE
        with_gaps = x.masked_fill(missing, torch.nan)
        floor_s, whole_s, gaps_s = _median_times(
            partial(_sort_and_transform, x),
            partial(engineer, x, RATE_HZ),
            partial(engineer, with_gaps, RATE_HZ),
        )
        yield at_most(f"{name}: features / floor", whole_s / floor_s, "×", GOAL)
        yield at_most(f"{name}, 1 % missing: features / floor", gaps_s / floor_s, "×", GOAL)
        if len(x) == MACHINE_WINDOWS:
            yield at_most(f"{name}: features", whole_s * 1e3, "ms", 20)
        if name.startswith("the rig"):
            of_rig.append([floor_s, whole_s, gaps_s])
    floor_s, whole_s, gaps_s = map(sum, zip(*of_rig, strict=True))
    yield at_most("the rig's sensors together: features / floor", whole_s / floor_s, "×", GOAL)
    yield at_most(
        "the rig's sensors together, 1 % missing: features / floor", gaps_s / floor_s, "×", GOAL
    )


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
        at_most("one window of white noise: features", per_window_us, "µs"),
        at_least("tsfresh, the same kinds / features", tsfresh_s / ours_s, "×", 20),
        at_least("catch22, its 22 / our 34 features", catch22_s / ours_s, "×", 20),
    ]


def _median_times(*functions: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for function, taken in zip(functions, times, strict=True):
            start = time.thread_time()
            function()
            taken.append(time.thread_time() - start)
    return [statistics.median(taken) for taken in times]


if __name__ == "__main__":
    for row in run():
        print(row)
