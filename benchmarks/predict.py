"""Predicting a month at the rig's rate: one worker, two, and a local Ray cluster.

43,200 windows of 60 s, made of the rig's cycles in random order, as a folder with one Parquet file
for each day: 17 sensors at 1 Hz. The network is the rig's default one. The worker processes run
already, as they do for most of a longer run. Takes some ten minutes, a short training included.
`--write` puts the table into docs/results.md.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from shutil import rmtree

import numpy as np
import pandas as pd
import torch
import yaml
from tests.support.watched_rigs import START, rig

from benchmarks._document import how_measured, write_rows
from benchmarks._rows import Row, at_least, at_most
from benchmarks.serving import make_bundle
from hydrascope.data.build import StoreConfig, open_stores
from hydrascope.data.windows import plan_windows
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.notebook.answerer import Answerer
from hydrascope.packaging.bundle import read_bundle
from hydrascope.prediction.pool import Pool, open_pool
from hydrascope.prediction.run import run as predict
from hydrascope.prediction.shards import Job
from hydrascope.schemas import TimeWindow
from hydrascope.telemetry.parquet import ParquetSource
from hydrascope.telemetry.zema import EPOCH, ZemaSource
from hydrascope.telemetry.zema_recording import CYCLE_S, SET_CYCLES

DAYS, ROUNDS = 30, 3
_MACHINE = "rig_0"
_DAY = 24 * 60
"""Windows of a day."""


def run(days: float = DAYS, rounds: int = ROUNDS, bundle: Path | None = None) -> list[Row]:
    """Measure so many days; None: with the bundle of a short training."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="hydrascope-predict-") as name:
            folder = Path(name)
            windows = round(days * _DAY)
            source = ParquetSource(month(folder / "telemetry", windows))
            source.extents(_MACHINE)  # the files are indexed once, and the index is kept
            answerer = Answerer(read_bundle(bundle or make_bundle(folder)[1]))
            job = Job(answerer, source, answerer.spec(), None)
            return _measured(job, folder, windows, rounds)
    finally:
        torch.set_num_threads(threads)


def month(folder: Path, windows: int) -> Path:
    """Write so many cycles of the rig in random order, a file for each day; return the folder."""
    source, random = ZemaSource(), np.random.default_rng(0)
    whole = TimeWindow(start=EPOCH, end=EPOCH + timedelta(seconds=CYCLE_S * SET_CYCLES))
    cycles = {
        name: signal.values.reshape(SET_CYCLES, CYCLE_S)
        for name, signal in source.read("zema", whole).items()
    }
    (folder / "machines").mkdir(parents=True)
    plain = rig(_MACHINE).model_dump(mode="json")
    (folder / "machines" / "rig.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))
    for first in range(0, windows, _DAY):
        chosen = random.integers(0, SET_CYCLES, min(_DAY, windows - first))
        start = START + timedelta(seconds=CYCLE_S * first)
        times = pd.date_range(start, periods=CYCLE_S * len(chosen), freq="1s", unit="us")
        columns = {name: values[chosen].ravel() for name, values in cycles.items()}
        table = pd.DataFrame({"timestamp": times, "equipment_id": _MACHINE, **columns})
        table.to_parquet(folder / f"{start:%Y-%m-%d}.parquet", index=False)
    return folder


def _measured(job: Job, folder: Path, windows: int, rounds: int) -> list[Row]:
    taken: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        start = time.perf_counter()
        work()
        taken.setdefault(name, []).append(time.perf_counter() - start)

    def answered(pool: Pool, name: str) -> None:
        found = predict(job, folder / name, pool, lambda _: None, lambda _: None)
        assert found.windows == windows

    with open_pool(1) as one, open_pool(2) as two:
        answered(two, "warm")  # imports
        grown_mb = 0.0
        for number in range(rounds):
            timed("store", lambda number=number: _build(job, folder / f"store{number}"))
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            timed("one", lambda number=number: answered(one, f"one{number}"))
            grown_mb = max(
                grown_mb, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
            )
            timed("two", lambda number=number: answered(two, f"two{number}"))
    with open_pool(2, "local") as cluster:
        answered(cluster, "ray_warm")
        timed("ray", lambda: answered(cluster, "ray"))
    files = [each.read_bytes() for each in folder.glob(f"*/{_MACHINE}.parquet")]
    store_s, one_s, two_s, ray_s = (min(taken[name]) for name in ("store", "one", "two", "ray"))
    return [
        at_least("store of the same windows: build, one worker", windows / store_s, "windows/s"),
        at_least("predict, one worker", windows / one_s, "windows/s"),
        at_least("predict, two workers", windows / two_s, "windows/s"),
        at_least("predict, two workers / one worker", one_s / two_s, "×", 1.7),
        at_least("predict, local Ray cluster of two cores", windows / ray_s, "windows/s"),
        at_most("predict, one worker: growth of the peak of memory", grown_mb, "MB", 300),
        at_most(f"files that differ, of {len(files)}", len(set(files)) - 1, "", 0),
    ]


def _build(job: Job, folder: Path) -> None:
    plan = plan_windows(job.source, job.source.machines()[_MACHINE], job.spec)
    engineer = FeatureEngineer(job.answerer.manifest.features)
    open_stores(job.source, [plan], engineer, StoreConfig(folder))
    rmtree(folder)  # gigabytes


def write() -> Path:
    """Measure and write the section into docs/results.md."""
    note = (
        f"{DAYS} days of 1 Hz telemetry in Parquet files, {DAYS * _DAY:,} windows, the rig's "
        f"default network, best of {ROUNDS} rounds. {how_measured('predict')}"
    )
    return write_rows("predict", run(), note)
