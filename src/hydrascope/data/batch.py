"""What loaders hand to a training: graphs laid end to end, with their answers."""

from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from hydrascope.graphs.fields import GraphInputs


class TrainingBatch(NamedTuple):
    """A batch with its answers."""

    inputs: GraphInputs
    targets: dict[str, Tensor]
    """A head's name → float [G, L] (machine level) or [N, L] (component level), L = 1 but for
    multi-label heads; classes as their number, NaN where there is no label."""
    window: Tensor
    """[G] int64; row of the dataset's window table that each graph was made from."""


class RowBatch(list[int]):
    """Rows of the window table that make up one batch.

    Attributes:
        epoch: In which they are drawn.
        augment: Whether the dataset's transforms apply: in training.
    """

    def __init__(self, rows: list[int], epoch: int, *, augment: bool) -> None:
        super().__init__(rows)
        self.epoch, self.augment = epoch, augment

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(RowBatch, epoch=self.epoch, augment=self.augment), (list(self),)
