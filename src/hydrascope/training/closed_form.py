"""Fitting a model of closed form to windows of the data, normalised as it will read them."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.base import ClosedFormModel
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.schemas.task import HeadSpec

_BATCH = 256
"""Windows read at once."""


class NormalisedWindows:
    """Windows of a data module as `models.base.LabelledWindows`.

    Args:
        diagnoser: Whose normalisers are fitted.
        data: Set up.
        rows: Of the window table, ascending.
    """

    def __init__(
        self, diagnoser: Diagnoser, data: HydraulicDataModule, rows: NDArray[np.int64]
    ) -> None:
        self._diagnoser, self._data, self._rows = diagnoser, data, rows

    def __len__(self) -> int:
        return len(self._rows)

    def targets(self, head: HeadSpec) -> Tensor:
        """Return a head's targets, [W, N, L] or [W, 1, L]; of machines of one build."""
        located = self._data.dataset.locate(self._rows)
        return torch.cat([machine.targets[head.name][local] for machine, local in located])

    def parts(
        self, numbers: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[GraphInputs, Mapping[str, Tensor]]]:
        """Yield normalised inputs and targets of some windows of one machine at a time."""
        rows = self._rows if numbers is None else self._rows[numbers]
        first = 0
        for _, local in self._data.dataset.locate(rows):
            mine = rows[first : first + len(local)]
            first += len(local)
            for begin in range(0, len(mine), _BATCH):
                batch = self._data.dataset.gather(mine[begin : begin + _BATCH])
                yield self._diagnoser.normalise(batch.inputs), batch.targets


def fitted_rows(data: HydraulicDataModule) -> NDArray[np.int64]:
    """Return the training and validation windows, ascending.

    On both a model of closed form is fitted, as the classical models are: it needs none to decide
    when to stop. Another one, on the training windows alone, is what a calibration is fitted on.
    """
    return np.sort(np.concatenate((data.split.train, data.split.val)))


def with_model(diagnoser: Diagnoser, model: ClosedFormModel) -> Diagnoser:
    """Return a diagnoser with the same normalisers and another model."""
    return Diagnoser(diagnoser.normalizer, model, diagnoser.machine_normalizer).eval()


def fit_closed_form(
    diagnoser: Diagnoser, data: HydraulicDataModule, rows: NDArray[np.int64], seed: int
) -> dict[str, str]:
    """Fit a diagnoser's model to windows `rows`, ascending.

    Returns:
        Every head of the task that it does not answer → why.
    """
    model = diagnoser.model
    assert isinstance(model, ClosedFormModel)
    return model.fit(NormalisedWindows(diagnoser, data, rows), seed)
