"""What loaders hand to a training: graphs laid end to end, with their answers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
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


class RowBatch(NamedTuple):
    """Rows of the window table that make up one batch."""

    rows: NDArray[np.int64]
    epoch: int
    """In which they are drawn."""
    augment: bool
    """Whether the dataset's transforms apply: in training."""
