"""Speed of loading beside PyTorch Geometric's loader, single pickles and a plain copy.

A batch is 32 graphs of 12 components, 30 sensors, 10 steps and 34 features, in random order, all
in the system's cache; one thread. Everything is measured in this one process, in turns.
"""

import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader as PygDataLoader

from benchmarks._fleet import FEATURES, SyntheticFleet
from benchmarks._rows import Row, at_least, at_most, median_times_s
from hydrascope.data.build import StoreConfig
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.loaders import DataLoaderConfig, create_dataloader
from hydrascope.data.split_spec import SplitSpec
from hydrascope.data.store.reader import Verify
from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas import TaskSpec, validate

Features = NDArray[np.float32]
Observed = NDArray[np.bool_]

BATCH = 32
CALLS = 16
"""Batches of a turn."""
TASK = validate(
    TaskSpec,
    {"name": "benchmark", "heads": [{"name": "faulty", "level": "machine", "kind": "binary"}]},
)


def data_module(
    fleet: SyntheticFleet, folder: Path, n_jobs: int = 1, steps: int = 10, batch_size: int = BATCH
) -> HydraulicDataModule:
    """Return a data module over a synthetic fleet, 34 features a sub-window."""
    return HydraulicDataModule(
        fleet,
        WindowSpec(fleet.window_s, fleet.window_s, steps),
        FeatureEngineer(FEATURES),
        TASK,
        store=StoreConfig(folder, n_jobs=n_jobs, verify=Verify.READ, progress=True),
        split=SplitSpec("random", folds=5, fold=0, val_fraction=0.1),
        loader=DataLoaderConfig(batch_size=batch_size),
    )


def run(windows: int = 3000, repeats: int = 20) -> list[Row]:
    """Measure on a machine of so many windows (41 kB each)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp(prefix="hydrascope-loading-"))
    try:
        return _rows(folder, windows, repeats)
    finally:
        torch.set_num_threads(threads)
        shutil.rmtree(folder)


def _rows(folder: Path, windows: int, repeats: int) -> list[Row]:
    data = data_module(SyntheticFleet(1, windows), folder / "store")
    data.setup()
    dataset = data.dataset
    config = DataLoaderConfig(batch_size=BATCH, drop_last=True)
    loader = create_dataloader(dataset, config, training=True)
    (machine,) = dataset.machines
    features = machine.read(SENSOR_FEATURES).numpy()
    observed = machine.read(SENSOR_OBSERVED).numpy()
    random = np.random.default_rng(0)
    order = cycle([np.sort(rows.rows) for rows in loader.windows])
    buffers = (np.empty_like(features[:BATCH]), np.empty_like(observed[:BATCH]))
    blocks = cycle(random.integers(0, windows - BATCH, 64).tolist())
    ours_s, rows_s, block_s, buffers_s = median_times_s(
        repeats,
        CALLS,
        _next_batch(lambda: iter(loader)),
        lambda: _copy_rows(features, observed, next(order)),
        lambda: _copy_block(features, observed, next(blocks)),
        lambda: _copy_rows(features, observed, next(order), buffers),
    )

    graphs = [dataset[row] for row in range(min(windows, 1000))]
    _write_pickles(folder / "pickles", graphs)
    pyg = PygDataLoader(graphs, batch_size=BATCH, shuffle=True, drop_last=True)
    beside_s, pyg_s, pickles_s = median_times_s(
        repeats,
        CALLS,
        _next_batch(lambda: iter(loader)),
        _next_batch(lambda: iter(pyg)),
        lambda: _read_pickles(folder / "pickles", random.permutation(len(graphs))[:BATCH]),
    )
    sizes = [path.stat().st_blocks * 512 for path in (folder / "store").rglob("*")]
    return [
        at_least("store → TrainingBatch", BATCH / ours_s, "graphs/s"),
        at_least("plain copy of the same windows", BATCH / rows_s, "graphs/s"),
        at_least("PyG DataLoader over an in-memory list", BATCH / pyg_s, "graphs/s"),
        at_least("one pickle a graph", BATCH / pickles_s, "graphs/s"),
        at_least("store / PyG DataLoader", pyg_s / beside_s, "×", 6),
        at_least("store / pickles", pickles_s / beside_s, "×", 50),
        at_least("store / plain copy of the same windows", rows_s / ours_s, "×", 0.8),
        at_least("store / copy of windows that lie together", block_s / ours_s, "×"),
        at_least("store / copy always to the same place", buffers_s / ours_s, "×"),
        at_most("store on disk / raw bytes", sum(sizes) / machine.store.nbytes, "×", 1.05),
    ]


def _next_batch(start: Callable[[], Iterator[object]]) -> Callable[[], object]:
    """Return what takes the next batch, epoch after epoch."""
    iterator = start()

    def take() -> object:
        nonlocal iterator
        try:
            return next(iterator)
        except StopIteration:
            iterator = start()
            return next(iterator)

    return take


def _copy_block(features: Features, observed: Observed, first: int) -> object:
    return [array[first : first + BATCH].copy() for array in (features, observed)]


def _copy_rows(
    features: Features,
    observed: Observed,
    rows: NDArray[np.int64],
    buffers: tuple[Features, Observed] | None = None,
) -> object:
    """One copy a window, into the buffers or into memory that is new, as any batch's is."""
    outs = buffers or [np.empty((BATCH, *a.shape[1:]), a.dtype) for a in (features, observed)]
    for array, out in zip((features, observed), outs, strict=True):
        for place, row in enumerate(rows.tolist()):
            out[place] = array[row]
    return outs


def _write_pickles(folder: Path, graphs: list[Data]) -> None:
    folder.mkdir()
    for number, graph in enumerate(graphs):
        (folder / f"{number}.pkl").write_bytes(pickle.dumps(graph))


def _read_pickles(folder: Path, numbers: NDArray[np.int64]) -> object:
    return [pickle.loads((folder / f"{n}.pkl").read_bytes()) for n in numbers.tolist()]
