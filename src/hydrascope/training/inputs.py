"""What a network needs to know of the training windows before any gradient."""

from collections.abc import Iterator

import torch

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.models.base import GroupedInputs, Network
from hydrascope.models.diagnoser import Diagnoser

_BATCH = 256
"""Windows read at once."""


@torch.no_grad()
def fit_inputs(diagnoser: Diagnoser, data: HydraulicDataModule) -> None:
    """Let a network, whose diagnoser's normalisers are fitted, see the training windows once.

    Each comes with the number of its condition (`data.conditions`), so that what varies while the
    condition stays can be told from what a condition changes.
    """
    model, rows = diagnoser.model, data.split.train
    assert isinstance(model, Network)
    group = torch.from_numpy(data.conditions.number)
    _, number = torch.unique(group[rows], return_inverse=True)
    numbers = torch.where(group[rows] < 0, -1, number - int(group[rows].min() < 0))

    def windows() -> Iterator[GroupedInputs]:
        for first in range(0, len(rows), _BATCH):
            part = slice(first, first + _BATCH)
            inputs = data.dataset.gather(rows[part]).inputs
            yield GroupedInputs(diagnoser.normalise(inputs), numbers[part])

    model.fit_inputs(windows)
