"""Building and iterating over stores of 2,000, 20,000 and 200,000 windows: time, memory, workers.

A synthetic machine of 12 components and 30 sensors at 1 Hz; windows of 60 s in 10 steps, 34
features: 41 kB a window. The largest store takes 8.2 GB of disk while it is measured.
"""

import gc
import math
import os
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed

from benchmarks._fleet import SyntheticFleet
from benchmarks._rows import Row, at_least, at_most, resident_mb
from benchmarks.loading import data_module
from hydrascope.data.loaders import DataLoaderConfig, create_dataloader
from hydrascope.data.store.format import checksum
from hydrascope.data.store.reader import GraphStore, Verify

SIZES = (2_000, 20_000, 200_000)
WORKERS_WINDOWS = 20_000
ROUNDS = 5


def run(sizes: Sequence[int] = SIZES, workers_windows: int = WORKERS_WINDOWS) -> list[Row]:
    """Measure stores of so many windows, and two workers against one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="hydrascope-store-") as folder:
            _build_and_iterate(Path(folder) / "warm", min(sizes))  # imports, first allocations
        return [*_sizes(sizes), *_workers(workers_windows), *_checksums()]
    finally:
        torch.set_num_threads(threads)


def _sizes(sizes: Sequence[int]) -> list[Row]:
    rows, build_s = [], []
    for windows in sizes:
        with tempfile.TemporaryDirectory(prefix="hydrascope-store-") as folder:
            (built_s, passed_s, open_s, raw), growth_mb = _with_growth(
                partial(_build_and_iterate, Path(folder), windows)
            )
        build_s.append(built_s)
        label = f"{windows:,} windows"
        rows += [
            at_least(f"{label}: build, one worker", windows / built_s, "windows/s"),
            at_least(
                f"{label}: shuffled epoch, checksums compared", windows / passed_s, "graphs/s"
            ),
            at_most(f"{label}: open with all checksums compared", open_s, "s"),
            at_most(f"{label}: memory growth, build and epoch", growth_mb, "MB", 300),
            at_most(f"{label}: raw data", raw / 1e6, "MB"),
        ]
    slope = math.log(build_s[-1] / build_s[0]) / math.log(sizes[-1] / sizes[0])
    rows.append(at_most("exponent of build time over windows", slope, "", 1.1))
    return rows


def _build_and_iterate(folder: Path, windows: int) -> tuple[float, float, float, int]:
    """Return seconds to build, to pass once in random order, to open again, and bytes of data."""
    data = data_module(SyntheticFleet(1, windows), folder)
    start = time.perf_counter()
    data.setup()
    built_s = time.perf_counter() - start
    loader = create_dataloader(data.dataset, DataLoaderConfig(batch_size=32), training=True)
    start = time.perf_counter()
    for _ in loader:
        pass
    passed_s = time.perf_counter() - start
    (machine,) = data.dataset.machines
    start = time.perf_counter()
    GraphStore(machine.store.folder, Verify.OPEN, mapped=False)
    return built_s, passed_s, time.perf_counter() - start, machine.store.nbytes


def _with_growth(
    function: Callable[[], tuple[float, float, float, int]],
) -> tuple[tuple[float, float, float, int], float]:
    """Return the answer and by how much this process grew while it was computed, in MB."""
    gc.collect()
    before = peak = resident_mb()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, resident_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        answer = function()
    finally:
        done.set()
        watcher.join()
    return answer, peak - before


def _workers(windows: int) -> list[Row]:
    """Compare two workers with one, both of them processes that run already.

    By the clock, and by processor time: how much sooner the busier of the two is done than one
    alone, which is what the clock would show on cores that nobody else uses. Each is the best of
    rounds that take turns: others can only slow a round down.
    """
    with tempfile.TemporaryDirectory(prefix="hydrascope-store-") as folder:
        data_module(SyntheticFleet(1, 1_000), Path(folder), n_jobs=2).setup()  # imports
    rounds = [(n_jobs, *_build_s(windows, n_jobs)) for _ in range(ROUNDS) for n_jobs in (1, 2)]
    one_s, two_s = (min(taken for n, taken, _ in rounds if n == n_jobs) for n_jobs in (1, 2))
    one_busy_s, two_busy_s = (
        min(busy for n, _, busy in rounds if n == n_jobs) for n_jobs in (1, 2)
    )
    return [
        at_least("two workers / one worker", one_s / two_s, "×", 1.6),
        at_least("two workers / one worker, processor time", one_busy_s / two_busy_s, "×"),
    ]


def _build_s(windows: int, n_jobs: int) -> tuple[float, float]:
    """Return the time that a build took by the clock, and the busiest worker's processor time."""
    with tempfile.TemporaryDirectory(prefix="hydrascope-store-") as folder:
        data = data_module(SyntheticFleet(1, windows), Path(folder), n_jobs=n_jobs)
        before = _processor_s(n_jobs)
        start = time.perf_counter()
        data.setup()
        taken_s = time.perf_counter() - start
        after = _processor_s(n_jobs)
    return taken_s, max(after[process] - before.get(process, 0.0) for process in after)


def _processor_s(n_jobs: int) -> dict[int, float]:
    """Return the processor time so far of each worker; starts them where there are none."""
    if n_jobs == 1:
        return dict([_own_processor_s(0.0)])
    return dict(Parallel(n_jobs=n_jobs)(delayed(_own_processor_s)(0.2) for _ in range(4 * n_jobs)))


def _own_processor_s(pause_s: float) -> tuple[int, float]:
    time.sleep(pause_s)  # so that no worker takes all the questions
    return os.getpid(), time.process_time()


def _checksums() -> list[Row]:
    """Compare checksums on a chunk of 10 MB."""
    chunk = np.random.default_rng(0).standard_normal((256, 30, 10, 34), dtype=np.float32)
    plain = chunk.tobytes()
    rows = []
    for name, function in (
        ("XXH3", lambda: checksum(chunk)),
        ("CRC-32 (zlib)", lambda: zlib.crc32(plain)),
        ("BLAKE2b", lambda: blake2b(plain).digest()),
    ):
        start = time.thread_time()
        for _ in range(5):
            function()
        speed = 5 * len(plain) / (time.thread_time() - start) / 1e9
        rows.append(at_least(f"checksum {name}", speed, "GB/s"))
    return rows
