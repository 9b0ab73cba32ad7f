"""Fitting the linear readout: least squares with a ridge, each build by itself.

Shapes: W windows, S sensors of a machine, D = 2·F·S numbers of a window, L labels.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.stored_machine import StoredMachine
from hydrascope.graphs.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.models.kernel.questions import Question
from hydrascope.models.linear import LinearReadout, sensor_levels
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec


class _Sums:
    """What the normal equations of a build need of its windows; memory is flat in their number."""

    def __init__(self, numbers: int, labels: int) -> None:
        self.rows = 0
        self.x = torch.zeros(numbers, dtype=torch.float64)
        self.y = torch.zeros(labels, dtype=torch.float64)
        self.xx = torch.zeros(numbers, numbers, dtype=torch.float64)
        self.xy = torch.zeros(numbers, labels, dtype=torch.float64)

    def add(self, x: Tensor, y: Tensor) -> None:
        """Take in rows [W, D] and labels [W, L]; a row that lacks a label is left out."""
        complete = ~y.isnan().any(dim=1)
        x, y = x[complete].double(), y[complete].double()
        self.rows += len(x)
        self.x += x.sum(0)
        self.y += y.sum(0)
        self.xx += x.T @ x
        self.xy += x.T @ y

    def solve(self, ridge: float) -> tuple[Tensor, Tensor]:
        """Return weights [D, L] and offset [L] of least squares plus ridge · ‖weights‖²."""
        x, y = self.x / self.rows, self.y / self.rows
        matrix = self.xx - self.rows * torch.outer(x, x)
        matrix.diagonal().add_(ridge)
        weight = torch.linalg.solve(matrix, self.xy - self.rows * torch.outer(x, y))
        return weight, y - x @ weight


def fit_linear(
    data: HydraulicDataModule, windows: NDArray[np.int64], ridge: float
) -> LinearReadout | None:
    """Fit the readout on windows, ascending; None where no head has labels of whole machines."""
    heads = [head for head in data.task.heads if is_answered(head)]
    if not heads:
        return None
    questions = [Question(head.name, head.size, tuple(range(head.size))) for head in heads]
    spec = data.input_spec
    readout = LinearReadout(questions, len(spec.sensor_slots), len(spec.feature_names))
    readout.normalizer.fit(
        (machine.layout.sensor_slot, *levels)
        for machine, rows in data.dataset.locate(windows)
        for levels in _levels(machine, rows)
    )
    builds: dict[tuple[int, ...], _Sums] = {}
    for machine, rows in data.dataset.locate(windows):
        slot = machine.layout.sensor_slot
        labels = torch.cat([machine.targets[head.name][rows][:, 0] for head in heads], dim=1)
        key, first = tuple(slot.tolist()), 0
        for level, seen in _levels(machine, rows):
            count, sensors, _, numbers = level.shape
            flat = level.flatten(0, 1), seen.flatten(0, 1), slot.repeat(count)
            x = readout.normalizer(*flat).reshape(count, sensors * numbers)
            if key not in builds:
                builds[key] = _Sums(x.shape[1], labels.shape[1])
            builds[key].add(x, labels[first : first + count])
            first += count
    for key, sums in builds.items():
        if sums.rows:
            slot = torch.tensor(key)
            weight, offset = sums.solve(ridge)
            readout.weight[slot] = weight.reshape(len(slot), -1, weight.shape[1]).float()
            readout.offset[slot] = offset.float()
    return readout


def is_answered(head: HeadSpec) -> bool:
    """Tell whether the readout answers a head: labels of a whole machine, there or not."""
    labelled = head.kind in (HeadKind.BINARY, HeadKind.MULTI_LABEL)
    return labelled and head.level is HeadLevel.MACHINE


def _levels(machine: StoredMachine, rows: NDArray[np.int64]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what the readout reads of windows, some at a time: [W, S, 1, 2 F], [W, S, 1] bool."""
    for features, observed in machine.parts((SENSOR_FEATURES, SENSOR_OBSERVED), rows):
        windows, sensors = features.shape[:2]
        level, seen = sensor_levels(features.flatten(0, 1), observed.flatten(0, 1))
        yield level.reshape(windows, sensors, 1, -1), seen.reshape(windows, sensors, 1)
