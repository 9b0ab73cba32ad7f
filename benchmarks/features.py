"""Speed of the feature engineer beside one sort and one Fourier transform of the same samples.

Times are CPU times of the one thread that computes, so that a busy machine disturbs them less;
medians over repeats in which the measured functions take turns.
"""

import statistics
import time
from collections.abc import Callable
from typing import TypedDict

import torch
from torch import Tensor

from hydrascope.features.engineer import FeatureEngineer

SAMPLES = 1000
RATE_HZ = 100.0
REPEATS = 50
MACHINE_WINDOWS = 12 * 10  # sensors × sub-windows


class Row(TypedDict):
    """One line of the table; `goal` is an upper bound, None where there is none."""

    name: str
    value: float
    unit: str
    goal: float | None
    ok: bool


def run() -> list[Row]:
    """Measure in float32 on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [*_rows(MACHINE_WINDOWS), *_rows(10 * MACHINE_WINDOWS)]
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def _rows(windows: int) -> list[Row]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(windows, SAMPLES, generator=generator)
    with_gaps = x.masked_fill(torch.rand(x.shape, generator=generator) < 0.01, torch.nan)
    engineer = FeatureEngineer()
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


def _median_times(*functions: Callable[[], object]) -> list[float]:
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(REPEATS):
        for function, taken in zip(functions, times, strict=True):
            start = time.thread_time()
            function()
            taken.append(time.thread_time() - start)
    return [statistics.median(taken) for taken in times]


def _row(name: str, value: float, unit: str, goal: float | None) -> Row:
    return Row(name=name, value=value, unit=unit, goal=goal, ok=goal is None or value <= goal)


if __name__ == "__main__":
    for row in run():
        print(row)
