"""Loaders of batches over a dataset, resumable within an epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from torch.utils.data import DataLoader

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.dataset import HydraulicGraphDataset
from hydrascope.data.sampling import WindowSampler
from hydrascope.data.split_spec import CONDITION, Split
from hydrascope.data.windows import WindowNumbers
from hydrascope.schemas.arguments import checked, checked_fields
from hydrascope.schemas.errors import SpecError


@checked_fields
@dataclass(frozen=True)
class DataLoaderConfig:
    """Settings of batches.

    Attributes:
        batch_size: Windows per batch, in each process under DDP.
        num_workers: Loader processes; 0 gathers in the training process, which is fastest for a
            store in the system's cache.
        balance: What to draw equally often in training: `condition`, or the name of a head for its
            classes; None: every window once per epoch.
        drop_last: Whether training skips a last batch that is not full.
        seed: Seed of the order of the training windows.
    """

    batch_size: Annotated[int, Field(ge=1)] = 64
    num_workers: Annotated[int, Field(ge=0)] = 0
    balance: str | None = None
    drop_last: bool = False
    seed: int = 0


class WindowLoader(DataLoader[TrainingBatch]):
    """A loader that can resume in the middle of an epoch.

    Its state counts the batches served, not those prefetched by loader processes. Lightning stores
    it with every checkpoint.
    """

    def __init__(
        self, dataset: HydraulicGraphDataset, sampler: WindowSampler, config: DataLoaderConfig
    ) -> None:
        workers = config.num_workers
        super().__init__(
            dataset,
            sampler=sampler,
            batch_size=None,  # the sampler yields whole batches, and the dataset gathers them
            collate_fn=_already_batched,
            num_workers=workers,
            persistent_workers=workers > 0,
        )
        self.windows = sampler
        self._served = 0

    def __iter__(self) -> Iterator[TrainingBatch]:  # type: ignore[override]
        # A generator delays drawing until Lightning has set the epoch, which it does after
        # requesting the iterator.
        self._served = self.windows.offset
        # Without workers, this equals PyTorch's own iterator, but saves 40 µs per batch.
        direct = map(self.dataset.__getitem__, self.windows)
        batches = super().__iter__() if self.num_workers else direct
        # A loop would keep a batch, and its memory, while the next one is made.
        yield from map(self._counted, batches)

    def _counted(self, batch: TrainingBatch) -> TrainingBatch:
        self._served += 1
        return batch

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch and the number of its batches served."""
        return {"epoch": self.windows.epoch, "offset": self._served}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume after the last batch served."""
        self.windows.load_state_dict(state)


def _already_batched(batch: Any) -> Any:
    """Return the batch; with `batch_size=None`, the dataset returns whole batches."""
    return batch


@checked
def create_dataloader(
    dataset: HydraulicGraphDataset,
    config: DataLoaderConfig,
    rows: WindowNumbers | None = None,
    *,
    training: bool = False,
    table: pd.DataFrame | None = None,
) -> WindowLoader:
    """Return a loader of windows in batches.

    Args:
        dataset: The dataset.
        config: Settings of batches.
        rows: The windows; all if None.
        training: Whether to shuffle, balance and transform; otherwise in order, each once.
        table: The window table; required to balance by condition.

    Raises:
        SpecError: The windows cannot be balanced as configured.
    """
    rows = np.arange(len(dataset)) if rows is None else rows
    balance = config.balance if training else None
    sampler = WindowSampler(
        rows,
        config.batch_size,
        shuffle=training,
        classes=None if balance is None else balance_classes(dataset, balance, table)[rows],
        drop_last=config.drop_last and training,
        augment=training,
        seed=config.seed,
    )
    return WindowLoader(dataset, sampler, config)


@checked
def create_train_val_loaders(
    dataset: HydraulicGraphDataset,
    split: Split,
    config: DataLoaderConfig,
    table: pd.DataFrame | None = None,
) -> tuple[WindowLoader, WindowLoader]:
    """Return a training loader and a loader of the validation windows in order."""
    train = create_dataloader(dataset, config, split.train, training=True, table=table)
    return train, create_dataloader(dataset, config, split.val)


def balance_classes(
    dataset: HydraulicGraphDataset, balance: str, table: pd.DataFrame | None
) -> NDArray[np.int64]:
    """Return the class of each window by condition or by a head; -1 where unknown.

    For a head with several components or labels, each combination is a class.

    Raises:
        SpecError: There is no such head or condition, or there are too many values for classes.
    """
    if balance == CONDITION and table is not None and CONDITION in table:
        return pd.factorize(table[CONDITION])[0].astype(np.int64)
    heads = dataset.machines[0].targets
    if balance not in heads:
        accepted = ", ".join([CONDITION, *heads])
        raise SpecError(
            f"{balance!r} is not accepted; expected one of {accepted}", path="data.balance"
        )
    codes: dict[tuple[float, ...], int] = {}
    classes = []
    for machine in dataset.machines:
        values = machine.targets[balance].flatten(1).numpy()  # [W, N * L]
        known = ~np.isnan(values).all(axis=1)
        unique, inverse = np.unique(np.nan_to_num(values, nan=-1.0), axis=0, return_inverse=True)
        code = np.array([codes.setdefault(tuple(row), len(codes)) for row in unique.tolist()])
        classes.append(np.where(known, code[inverse.reshape(-1)], -1))
    joined = np.concatenate(classes).astype(np.int64)
    if len(codes) > max(2, len(joined) // 2):
        raise SpecError(
            f"head {balance!r} has {len(codes)} values in {len(joined)} windows, "
            "which are no classes; balance by a head of classes or by condition",
            path="data.balance",
        )
    return joined
