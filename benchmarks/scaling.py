"""Measure the cost of a window and a machine, and compute the cost of a fleet.

`--write` puts the tables into docs/results.md.
"""

import gc
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks import plan, store
from benchmarks._document import ROOT, replace_section
from benchmarks._fleet import SyntheticFleet
from benchmarks._rows import Row, at_most, resident_mb
from benchmarks.loading import data_module
from hydrascope.data.loaders import DataLoaderConfig, create_dataloader

FLEETS = (10, 1_000, 100_000)
MONTH_WINDOWS = 4_380
"""Windows of a machine in a month, one every ten minutes."""
NIGHT_S = 10 * 3600


@dataclass(frozen=True)
class Slopes:
    """Costs of one more window and of one more machine, of 12 components and 30 sensors."""

    window_disk_b: float
    window_build_s: float
    window_epoch_s: float
    window_memory_b: float
    machine_disk_b: float
    machine_build_s: float
    machine_open_s: float
    machine_memory_b: float


def run(sizes: tuple[int, int] = (1_000, 4_000), machines: int = 200) -> list[Row]:
    """Measure the slopes between two sizes of store and over so many machines."""
    slopes = measure(sizes, machines)
    return [
        at_most("a window: disk", slopes.window_disk_b / 1e3, "kB"),
        at_most("a window: build, one core", slopes.window_build_s * 1e3, "ms"),
        at_most("a window: in an epoch, one core", slopes.window_epoch_s * 1e6, "µs"),
        at_most("a window: memory of table and targets", slopes.window_memory_b, "B"),
        at_most("a machine: disk beside its windows", slopes.machine_disk_b / 1e3, "kB"),
        at_most("a machine: build beside its windows", slopes.machine_build_s * 1e3, "ms"),
        at_most("a machine: set up again", slopes.machine_open_s * 1e3, "ms"),
        at_most("a machine: memory", slopes.machine_memory_b / 1e3, "kB"),
    ]


def measure(sizes: tuple[int, int], machines: int) -> Slopes:
    """Return the costs, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _fleet_costs(1, 100)  # imports, first allocations
        small, large = (_fleet_costs(1, windows) for windows in sizes)
        many = _fleet_costs(machines, 2)
        of_plan = {row["name"]: row["value"] for row in plan.run(10, 50_000)}
    finally:
        torch.set_num_threads(threads)
    more = sizes[1] - sizes[0]
    window_s = (large.build_s - small.build_s) / more
    return Slopes(
        window_disk_b=(large.disk_b - small.disk_b) / more,
        window_build_s=window_s,
        window_epoch_s=(large.epoch_s - small.epoch_s) / more,
        window_memory_b=of_plan["memory"] * 1e6 / of_plan["windows planned"] + 4,
        machine_disk_b=many.disk_b / machines - 2 * (large.disk_b - small.disk_b) / more,
        machine_build_s=max(0.0, many.build_s / machines - 2 * window_s),
        machine_open_s=many.open_s / machines,
        machine_memory_b=max(0.0, many.growth_mb) * 1e6 / machines,
    )


@dataclass(frozen=True)
class _Costs:
    build_s: float
    open_s: float
    epoch_s: float
    disk_b: float
    growth_mb: float


def _fleet_costs(machines: int, windows: int) -> _Costs:
    with tempfile.TemporaryDirectory(prefix="hydrascope-scaling-") as folder:
        fleet = SyntheticFleet(machines, windows)
        start = time.perf_counter()
        first = data_module(fleet, Path(folder))
        first.setup()
        build_s = time.perf_counter() - start
        gc.collect()
        before_mb, start = resident_mb(), time.perf_counter()
        data = data_module(fleet, Path(folder))
        data.setup()
        open_s, growth_mb = time.perf_counter() - start, resident_mb() - before_mb
        loader = create_dataloader(data.dataset, DataLoaderConfig(batch_size=32), training=True)
        start = time.perf_counter()
        for _ in loader:
            pass
        epoch_s = time.perf_counter() - start
        del first  # held until now, so that the second could not use its memory again
        disk_b = sum(path.stat().st_blocks * 512 for path in Path(folder).rglob("*"))
    return _Costs(build_s, open_s, epoch_s, disk_b, growth_mb)


def write() -> Path:
    """Measure at full size and write the section into docs/results.md."""
    rows = [*store.run(), *plan.run()]
    path = ROOT / "docs" / "results.md"
    replace_section(path, "scaling", tables(measure((20_000, 100_000), 1_000), rows))
    return path


def tables(slopes: Slopes, rows: Sequence[Row]) -> str:
    """Return the section of docs/results.md."""
    core_s = slopes.window_build_s
    night = NIGHT_S / core_s
    months = night / MONTH_WINDOWS
    fleets = "\n".join(_fleet_line(count, slopes) for count in FLEETS)
    measured = "\n".join(
        f"| {row['name']} | {_number(row['value'])} {row['unit']} |" for row in rows
    )
    return f"""{os.cpu_count()} cores ({platform.machine()}), load average \
{os.getloadavg()[1]:.1f} during the measurement, which itself accounts for 1 to 2. A load above \
the number of cores slows every figure, the two workers most. Synthetic telemetry: machines of 12 \
components and 30 sensors at 1 Hz, windows of 60 s in 10 steps, 34 features per sub-window. \
`python -m benchmarks scaling --write`.

One more window or machine costs:

| | disk | build, one core | set up again | epoch, one core | memory |
|---|---|---|---|---|---|
| window | {slopes.window_disk_b / 1e3:.1f} kB | {core_s * 1e3:.2f} ms | – | \
{slopes.window_epoch_s * 1e6:.0f} µs | {slopes.window_memory_b:.0f} B |
| machine | {slopes.machine_disk_b / 1e3:.0f} kB | {slopes.machine_build_s * 1e3:.1f} ms | \
{slopes.machine_open_s * 1e3:.1f} ms | – | {slopes.machine_memory_b / 1e3:.0f} kB |

A month of every machine, with one window every ten minutes, is {MONTH_WINDOWS:,} windows per \
machine. The epoch reads windows from the system's cache.

| machines | windows | disk | build, one core | build, 16 cores | epoch, one core | memory |
|---|---|---|---|---|---|---|
{fleets}

In a night of ten hours, one core builds {night / 1e6:.1f} million windows ({months:,.0f} \
machine-months) and sixteen cores {16 * night / 1e6:.0f} million ({16 * months:,.0f} \
machine-months).

Single measurements:

| | |
|---|---|
{measured}"""


def _fleet_line(machines: int, slopes: Slopes) -> str:
    windows = machines * MONTH_WINDOWS
    build_s = windows * slopes.window_build_s + machines * slopes.machine_build_s
    cells = [
        f"{machines:,}",
        f"{windows:,}",
        _bytes(windows * slopes.window_disk_b),
        _duration(build_s),
        _duration(build_s / 16),
        _duration(windows * slopes.window_epoch_s),
        _bytes(_memory_b(machines, slopes)),
    ]
    return f"| {' | '.join(cells)} |"


def _memory_b(machines: int, slopes: Slopes) -> float:
    return machines * (MONTH_WINDOWS * slopes.window_memory_b + slopes.machine_memory_b)


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
