"""The fit of a closed-form model to normalised windows."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.base import ClosedFormModel
from hydrascope.models.detectors.detector import Detector
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.normality.scores import Normality
from hydrascope.schemas.task import HeadSpec

_BATCH = 256
"""The number of windows read at once."""


class NormalisedWindows:
    """Windows of a data module as `models.base.LabelledWindows`.

    Args:
        diagnoser: A diagnoser with fitted normalisers.
        data: The data module, set up.
        rows: The rows of the window table, ascending.
    """

    def __init__(
        self, diagnoser: TensorDiagnoser, data: HydraulicDataModule, rows: NDArray[np.int64]
    ) -> None:
        self._diagnoser, self._data, self._rows = diagnoser, data, rows

    def __len__(self) -> int:
        return len(self._rows)

    def targets(self, head: HeadSpec) -> Tensor:
        """Return a head's targets, [W, N, L] or [W, 1, L]; requires machines of one build."""
        located = self._data.dataset.locate(self._rows)
        return torch.cat([machine.targets[head.name][local] for machine, local in located])

    def parts(
        self, numbers: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[GraphInputs, Mapping[str, Tensor]]]:
        """Yield normalised inputs and targets of windows in order, in batches of one machine."""
        rows = self._rows if numbers is None else self._rows[numbers]
        first = 0
        for _, local in self._data.dataset.locate(rows):
            selected = rows[first : first + len(local)]
            first += len(local)
            for begin in range(0, len(selected), _BATCH):
                batch = self._data.dataset.gather(selected[begin : begin + _BATCH])
                yield self._diagnoser.normalise(batch.inputs), batch.targets


def fitted_rows(data: HydraulicDataModule) -> NDArray[np.int64]:
    """Return the training and validation windows, ascending.

    A closed-form model is fitted to both, like the classical models, because it needs no early
    stopping. Its calibration is fitted on a second model that saw only the training windows.
    """
    return np.sort(np.concatenate((data.split.train, data.split.val)))


def learned_rows(data: HydraulicDataModule) -> NDArray[np.int64]:
    """Return the training windows that normality learns from, ascending.

    A detector is fitted to these alone, because the validation windows set its thresholds.
    """
    return data.split.train[data.learned[data.split.train]]


def rows_to_fit(model: ClosedFormModel, data: HydraulicDataModule) -> NDArray[np.int64]:
    """Return the windows that a model is fitted to, ascending."""
    return learned_rows(data) if isinstance(model, Detector) else fitted_rows(data)


def with_model(
    diagnoser: TensorDiagnoser, model: ClosedFormModel, normality: Normality | None = None
) -> TensorDiagnoser:
    """Return a diagnoser with the same normalisers and another model."""
    normalisers = diagnoser.normalizer, diagnoser.machine_normalizer
    return TensorDiagnoser(normalisers[0], model, normalisers[1], normality).eval()


def fit_beside(diagnoser: TensorDiagnoser, data: HydraulicDataModule) -> None:
    """Fit the detector that scores normality beside a model with heads; it needs no seed.

    Raises:
        SpecError: There are too few healthy windows.
    """
    if diagnoser.normality is not None and (detector := diagnoser.normality.beside) is not None:
        detector.fit(NormalisedWindows(diagnoser, data, learned_rows(data)), seed=0)


def fit_closed_form(
    diagnoser: TensorDiagnoser, data: HydraulicDataModule, rows: NDArray[np.int64], seed: int
) -> dict[str, str]:
    """Fit a diagnoser's model to the windows `rows`, ascending.

    Returns:
        Name of each unanswered head of the task → the reason.
    """
    model = diagnoser.model
    assert isinstance(model, ClosedFormModel)
    return model.fit(NormalisedWindows(diagnoser, data, rows), seed)
