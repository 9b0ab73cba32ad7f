"""Batches for training: concatenated graphs and their targets."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs


class TrainingBatch(NamedTuple):
    """A batch with its targets."""

    inputs: GraphInputs
    targets: dict[str, Tensor]
    """The targets by head: float [G, L] (machine level) or [N, L] (component level). L is 1 except
    for multi-label heads. Classes are their number; a missing label is NaN."""
    window: Tensor
    """The row [G] int64 of each graph in the dataset's window table."""


class RowBatch(NamedTuple):
    """The rows of the window table in one batch."""

    rows: NDArray[np.int64]
    epoch: int
    augment: bool
    """True if the dataset's transforms apply, as in training."""
