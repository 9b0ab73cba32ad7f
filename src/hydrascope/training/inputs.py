"""The fit of a network's input scaling before the training."""

from collections.abc import Iterator

import torch

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.models.base import GroupedInputs, Network
from hydrascope.models.diagnoser import TensorDiagnoser

_BATCH = 256
"""The number of windows read at once."""


@torch.no_grad()
def fit_inputs(diagnoser: TensorDiagnoser, data: HydraulicDataModule) -> None:
    """Fit a network's inputs to the training windows; the normalisers must be fitted already.

    Each window comes with the number of its condition (`data.conditions`), to distinguish variation
    within a condition from that between conditions.
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
