"""A dataset over the stores of many machines; a batch is one gather per field."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from hydrascope.data.batch import RowBatch, TrainingBatch
from hydrascope.data.buffers import BufferPool
from hydrascope.data.statistics import DatasetStatistics, dataset_statistics
from hydrascope.data.store.window_fields import SENSOR_FEATURES
from hydrascope.data.stored_machine import StoredMachine, gather_fields, gather_references
from hydrascope.data.transforms import Transform, generators
from hydrascope.data.windows import WindowNumbers
from hydrascope.graphs.fields import GraphInputs, SensorReference, WindowFields
from hydrascope.graphs.graph import HydraulicGraph, to_graph
from hydrascope.graphs.layout import GraphLayout, concatenate
from hydrascope.schemas.arguments import checked

_TEMPLATES = 64
"""The number of cached static parts of batches; a fleet of one build needs only two."""
_PIECES = 8192
"""The number of their cached pieces, some 20 kB each."""


class HydraulicGraphDataset(Dataset[HydraulicGraph | TrainingBatch]):
    """The windows of all machines; row `i` is the i-th window, machine after machine.

    `dataset[7]` is a PyTorch Geometric graph, `dataset.gather([3, 7, 9])` a batch. Windows are read
    on demand.

    Args:
        machines: Machines and their stores; either all have references or none.
        transforms: Transforms of training batches (rows drawn as a `RowBatch`), in order.
        seed: Seed of the transforms, whose draws are functions of (seed, epoch, window).
    """

    @checked
    def __init__(
        self,
        machines: Sequence[StoredMachine],
        transforms: Sequence[Transform] = (),
        seed: int = 0,
    ) -> None:
        self.machines, self.transforms, self.seed = list(machines), tuple(transforms), seed
        self._first_row = np.cumsum([0, *(len(machine) for machine in self.machines)])
        self._first_rows: list[int] = self._first_row.tolist()
        self._templates: dict[tuple[tuple[int, int], ...], GraphInputs] = {}
        self._pieces: dict[tuple[int, int], GraphInputs] = {}
        self._buffers = BufferPool()
        self._references = all(machine.reference is not None for machine in self.machines)

    def __getstate__(self) -> dict[str, Any]:
        # Templates are cached by the ids of layouts, which differ between processes.
        return {**self.__dict__, "_templates": {}, "_pieces": {}}

    def __len__(self) -> int:
        return self._first_rows[-1]

    @overload
    def __getitem__(self, rows: int) -> HydraulicGraph: ...
    @overload
    def __getitem__(self, rows: RowBatch) -> TrainingBatch: ...
    def __getitem__(self, rows: int | RowBatch) -> HydraulicGraph | TrainingBatch:
        """Return a window as a graph with the fields of `GraphInputs`, or a batch of rows."""
        if isinstance(rows, RowBatch):
            batch = self.gather(rows.rows)
            for number, transform in enumerate(self.transforms if rows.augment else ()):
                draws = (self.seed, rows.epoch, number)
                batch = transform(batch, generators(draws, batch.window))
            return batch
        batch = self.gather([range(len(self))[rows]])
        targets = {f"target_{name}": target for name, target in batch.targets.items()}
        return to_graph(batch.inputs, **targets)

    def __getitems__(self, rows: Sequence[int]) -> TrainingBatch:
        """Return a batch; a plain `torch.utils.data.DataLoader` calls this."""
        return self.gather(rows)

    def gather(self, rows: Sequence[int] | WindowNumbers) -> TrainingBatch:
        """Return windows as one batch; graphs are in ascending order of their rows.

        The static tensors may be shared with other batches: replace them, never write to them.

        Raises:
            StoreDamagedError: A checksum does not match.
        """
        wanted = np.array(rows, dtype=np.int64)
        wanted.sort()
        parts = self.locate(wanted)
        fields = gather_fields(parts, self._buffers)
        if self._references:
            fields |= gather_references(parts, self._buffers)
        inputs = self._template([(machine.layout, len(local)) for machine, local in parts])
        return TrainingBatch(inputs._replace(**fields), _targets(parts), torch.from_numpy(wanted))

    def get_equipment_ids(self) -> list[str]:
        """Return the equipment ids in the order of the windows."""
        return [machine.equipment_id for machine in self.machines]

    def get_statistics(self) -> DatasetStatistics:
        """Return statistics of all windows, read once in bounded memory."""
        return dataset_statistics(self.machines)

    def locate(self, rows: WindowNumbers) -> list[tuple[StoredMachine, WindowNumbers]]:
        """Return the machines of ascending rows, each with the numbers of its own windows."""
        if not len(rows):
            return []
        lowest, highest = rows[0].item(), rows[-1].item()
        if lowest < 0 or highest >= len(self):
            raise IndexError(f"windows {lowest} … {highest} asked for; there are {len(self)}")
        holder = bisect_right(self._first_rows, lowest) - 1
        first = self._first_rows[holder]
        if highest < self._first_rows[holder + 1]:  # fast path: a single machine
            return [(self.machines[holder], rows - first)]
        number = np.searchsorted(self._first_row, rows, side="right") - 1
        begins = np.flatnonzero(np.diff(number, prepend=-1))
        return [
            (self.machines[number[begin]], part - self._first_row[number[begin]])
            for begin, part in zip(begins, np.split(rows, begins[1:]), strict=True)
        ]

    def _template(self, graphs: Sequence[tuple[GraphLayout, int]]) -> GraphInputs:
        """Return the cached inputs of a batch with empty fields."""
        runs = list(graphs[:1])
        for layout, count in graphs[1:]:
            if runs[-1][0] is layout:
                count += runs.pop()[1]
            runs.append((layout, count))
        key = tuple((id(layout), count) for layout, count in runs)
        template = self._templates.get(key)
        if template is None:
            if len(self._templates) >= _TEMPLATES:
                self._templates.clear()
            template = concatenate([self._piece(layout, count) for layout, count in runs])
            self._templates[key] = template
        return template

    def _piece(self, layout: GraphLayout, count: int) -> GraphInputs:
        """Return the cached part of a template that is of one layout.

        Among hundreds of builds no two batches have the same template, but all have these parts.
        """
        key = id(layout), count
        piece = self._pieces.get(key)
        if piece is None:
            if len(self._pieces) >= _PIECES:
                self._pieces.clear()
            _, *widths = self.machines[0].store.layout[SENSOR_FEATURES][0]
            piece = self._pieces[key] = _empty_batch(layout, count, *widths)
        return piece


def _empty_batch(layout: GraphLayout, count: int, steps: int, width: int) -> GraphInputs:
    """Lay out graphs without features; references [S, steps, width] are unknown."""
    lines = layout.edge_index.shape[1]
    features = torch.empty(count, layout.num_sensors, steps, 0)
    line, machine = torch.empty(count, lines, steps, 0), torch.empty(count, steps, 0)
    return layout.batch(
        WindowFields(
            sensor_features=features,
            sensor_observed=features.new_empty(features.shape[:3], dtype=torch.bool),
            edge_dynamic=line,
            edge_dynamic_mask=line.to(torch.bool),
            machine_features=machine,
            machine_features_mask=machine.to(torch.bool),
        ),
        SensorReference.unknown(layout.num_sensors, steps, width),
    )


def _targets(parts: Sequence[tuple[StoredMachine, WindowNumbers]]) -> dict[str, Tensor]:
    # For such small gathers, NumPy is five times as fast as PyTorch.
    gathered = [
        {
            name: torch.from_numpy(target.numpy().take(rows, 0).reshape(-1, target.shape[2]))
            for name, target in machine.targets.items()
        }
        for machine, rows in parts
    ]
    if len(gathered) == 1:
        return gathered[0]
    return {name: torch.cat([part[name] for part in gathered]) for name in gathered[0]}
