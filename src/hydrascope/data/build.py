"""Builds the stores of a fleet; every chunk of every machine is a separate joblib task."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from hydrascope.data.content import store_spec
from hydrascope.data.extraction import extract_windows
from hydrascope.data.store.format import StoreDamagedError, StoreSpec
from hydrascope.data.store.reader import GraphStore, Verify
from hydrascope.data.store.writer import (
    Checksums,
    StoreWriter,
    claim,
    is_complete,
    mark_unfinished,
    write_chunk,
)
from hydrascope.data.windows import WindowPlan
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.schemas.arguments import checked_fields
from hydrascope.telemetry.source import TelemetrySource

MAPPED_BYTES = 192 * 2**20
"""The total size of stores up to which they are mapped. Larger ones are read by system calls, so
that memory stays flat."""
MAPPED_STORES = 4096
"""The most stores that are mapped; a process can have 65,530 maps on Linux."""


@checked_fields
@dataclass(frozen=True)
class StoreConfig:
    """Location, building and reading of the stores of windows.

    Attributes:
        folder: Contains one folder per machine and content; shared by all runs and nodes.
        n_jobs: Processes that build, -1 for one per core; None follows `joblib.parallel_config`,
            which is how a Ray cluster builds.
        preload: Hold all windows in memory.
        verify: When checksums are compared.
        progress: Show a bar with windows/s on a terminal.
    """

    folder: Path
    n_jobs: int | None = 1
    preload: bool = False
    verify: Verify = Verify.OPEN
    progress: bool = False


@dataclass(frozen=True)
class _Order:
    """A machine's store to build."""

    plan: WindowPlan
    spec: StoreSpec


def open_stores(
    source: TelemetrySource,
    plans: Sequence[WindowPlan],
    engineer: FeatureEngineer,
    config: StoreConfig,
) -> list[GraphStore]:
    """Return the stores of all plans; build those that are missing or damaged.

    Any number of processes may do this at the same time. Each machine's store is built by one of
    them; the others build other machines or wait.
    """
    orders = [_Order(plan, store_spec(source, plan, engineer)) for plan in plans]
    nbytes = sum(order.spec.windows * order.spec.window_bytes for order in orders)
    mapped = nbytes <= MAPPED_BYTES and len(orders) <= MAPPED_STORES

    def opened(order: _Order) -> GraphStore:
        path = config.folder / order.spec.name
        return GraphStore(path, config.verify, preload=config.preload, mapped=mapped)

    _build(source, engineer, orders, config)
    stores = []
    for order in orders:
        try:
            store = opened(order)
        except StoreDamagedError:
            mark_unfinished(config.folder, order.spec)
            _build(source, engineer, [order], config)
            store = opened(order)
        stores.append(store)
    return stores


def _build(
    source: TelemetrySource,
    engineer: FeatureEngineer,
    orders: Sequence[_Order],
    config: StoreConfig,
) -> None:
    left = _missing(orders, config)
    if not left:
        return
    with _bar(config) as progress:
        bar = progress.add_task("Windows", total=sum(order.spec.windows for order in left))
        fleet = _Fleet(source, engineer, config, lambda windows: progress.advance(bar, windows))
        while left:
            fleet.build(left, wait=False)
            left = _missing(left, config)
            if left:
                # Other processes are building the rest. Waiting for one machine at a time, without
                # another lock, prevents a deadlock.
                fleet.build(left[:1], wait=True)
                left = _missing(left, config)


def _missing(orders: Sequence[_Order], config: StoreConfig) -> list[_Order]:
    return [order for order in orders if not is_complete(config.folder, order.spec)]


class _Fleet:
    """The stores that this process is building."""

    def __init__(
        self,
        source: TelemetrySource,
        engineer: FeatureEngineer,
        config: StoreConfig,
        advance: Callable[[int], None],
    ) -> None:
        self._source, self._engineer, self._config = source, engineer, config
        self._advance = advance
        self._writers: dict[str, StoreWriter] = {}

    def build(self, orders: Sequence[_Order], *, wait: bool) -> None:
        """Build the stores that no other process is building."""
        pool = Parallel(n_jobs=self._config.n_jobs, return_as="generator_unordered")
        try:
            for name, chunk, sums in pool(self._tasks(orders, wait=wait)):
                writer = self._writers[name]
                writer.record(chunk, sums)
                self._advance(len(writer.spec.rows(chunk)))
                self._finish_if_complete(writer)
        finally:
            for writer in self._writers.values():
                writer.abandon()
            self._writers.clear()

    def _tasks(self, orders: Sequence[_Order], *, wait: bool) -> Iterator[Any]:
        """Yield the chunks of one machine after the other, as joblib requests them."""
        for order in orders:
            writer = claim(self._config.folder, order.spec, wait=wait)
            if writer is None:
                continue
            self._writers[order.spec.name] = writer
            pending = sum(len(order.spec.rows(chunk)) for chunk in writer.pending)
            self._advance(order.spec.windows - pending)
            for chunk in writer.pending:
                yield delayed(_build_chunk)(
                    self._source, self._engineer, order, writer.folder, chunk
                )
            if not writer.pending:
                self._finish_if_complete(writer)

    def _finish_if_complete(self, writer: StoreWriter) -> None:
        if writer.complete:
            writer.finish()
            del self._writers[writer.spec.name]


def _build_chunk(
    source: TelemetrySource, engineer: FeatureEngineer, order: _Order, folder: Path, chunk: int
) -> tuple[str, int, Checksums]:
    arrays = extract_windows(source, order.plan, engineer, order.spec.rows(chunk))
    return order.spec.name, chunk, write_chunk(folder, order.spec, chunk, arrays)


class _Speed(ProgressColumn):
    """Windows per second since the start."""

    def render(self, task: Task) -> Text:
        """Return the speed, if it is known."""
        return Text(f"{task.speed:.0f} windows/s" if task.speed else "")


def _bar(config: StoreConfig) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("Features"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeRemainingColumn(),
        console=console,
        disable=not (config.progress and console.is_terminal),
    )
