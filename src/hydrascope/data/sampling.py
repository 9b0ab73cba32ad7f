"""The order in which windows are drawn, a function of (seed, epoch) only."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch.distributed
from numpy.typing import NDArray
from torch.utils.data import Sampler

from hydrascope.data.batch import RowBatch
from hydrascope.data.windows import WindowNumbers


class WindowSampler(Sampler[RowBatch]):
    """Yields the batches of rows of one process.

    Each step takes the next `batch_size` x processes rows of the epoch's order and distributes them
    evenly. All processes thus take the same number of steps, and together they see each row once.
    If the last step has fewer rows than processes, some rows occur twice.

    Args:
        rows: Rows of the window table to draw from.
        batch_size: Batch size of each process.
        shuffle: Whether to draw in random order; otherwise in the order of the rows.
        classes: Classes [len(rows)] int64 to draw equally often; -1, unknown, is never drawn. The
            total is the number of rows of known class. Rows of a small class are repeated, but only
            after every row of the class has been drawn.
        drop_last: Whether to skip the last step of an epoch if it is not full.
        augment: Whether the dataset's transforms apply to these batches.
        seed: Seed of the order.
        rank: Rank of this process; None with `world_size`: from `torch.distributed`.
        world_size: Number of processes.
    """

    def __init__(
        self,
        rows: WindowNumbers,
        batch_size: int,
        *,
        shuffle: bool,
        classes: NDArray[np.int64] | None = None,
        drop_last: bool = False,
        augment: bool = False,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        assert classes is None or (len(classes) == len(rows) and shuffle)
        known = slice(None) if classes is None else classes >= 0
        self.rows, self.classes = rows[known], None if classes is None else classes[known]
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.augment, self.seed = augment, seed
        self._rank, self._world_size = rank, world_size
        self.epoch = 0
        self.offset = 0
        """The number of batches to skip in the next pass, as a resumed training has used them."""

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; a new epoch starts at its first batch. Lightning calls this."""
        if epoch != self.epoch:
            self.epoch, self.offset = epoch, 0

    def __len__(self) -> int:
        step = self.batch_size * self._place()[1]
        return len(self.rows) // step if self.drop_last else -(-len(self.rows) // step)

    def __iter__(self) -> Iterator[RowBatch]:
        rank, world_size = self._place()
        order, step = self._order(), self.batch_size * world_size
        first, self.offset = self.offset, 0
        for number in range(first, len(self)):
            rows = order[number * step : (number + 1) * step]
            if world_size > 1:
                missing = max(0, world_size - len(rows))
                padded = np.concatenate([rows, np.resize(order, missing)])
                rows = np.array_split(padded, world_size)[rank]
            yield RowBatch(rows, self.epoch, self.augment)

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch and the offset of the next pass."""
        return {"epoch": self.epoch, "offset": self.offset}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the epoch and the offset of the next pass."""
        self.epoch, self.offset = state["epoch"], state["offset"]

    def _order(self) -> WindowNumbers:
        if not self.shuffle:
            return self.rows
        random = np.random.default_rng((self.seed, self.epoch))
        if self.classes is None:
            order = random.permutation(len(self.rows))
        else:
            order = random.permutation(_balanced(self.classes, random))
        drawn: WindowNumbers = self.rows[order]
        return drawn

    def _place(self) -> tuple[int, int]:
        """Return rank and number of processes."""
        if self._rank is not None and self._world_size is not None:
            return self._rank, self._world_size
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        return 0, 1


def _balanced(classes: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """Return len(classes) positions, the same number (±1) from each class."""
    present = random.permutation(np.unique(classes))
    shares = np.array_split(np.arange(len(classes)), len(present))
    drawn = []
    for each, share in zip(present, shares, strict=True):
        members = np.flatnonzero(classes == each)
        passes = -(-len(share) // len(members))
        in_turn = [random.permutation(members) for _ in range(passes)]
        drawn.append(np.concatenate(in_turn)[: len(share)])
    return np.concatenate(drawn)
