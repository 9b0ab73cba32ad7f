"""Windows of many machines as one dataset over their stores: a batch is one gather a field."""

from collections.abc import Mapping, Sequence
from typing import overload

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torch_geometric.data import Data

from hydrascope.data.batch import RowBatch, TrainingBatch
from hydrascope.data.statistics import DatasetStatistics, dataset_statistics
from hydrascope.data.stored_machine import Rows, StoredMachine, gather_fields
from hydrascope.data.transforms import Transform, generators
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.layout import GraphLayout, concatenate
from hydrascope.graphs.store import GraphStore

RELEASE_BYTES = 128 * 2**20
"""After so many bytes read, mapped pages are let go of: memory stays flat however large a store,
and what is still in the system's cache is quickly mapped again."""

RELEASE_STORES = 4096
"""After so many machines read, for the same reason: a process may have 65,530 maps on Linux."""

_TEMPLATES = 64
"""Compositions of a batch whose static part is kept; a fleet of one build has but two."""


class HydraulicGraphDataset(Dataset[Data | TrainingBatch]):
    """Row `i` is the i-th window, machine after machine.

    `dataset[7]` is a PyTorch Geometric graph, `dataset.gather([3, 7, 9])` a batch. Nothing is read
    before it is asked for.

    Args:
        machines: Machines and their stores.
        transforms: Changes made to batches of a training (rows drawn as a `RowBatch`), in order.
        seed: What a transform draws is a function of (seed, epoch, window).
    """

    def __init__(
        self,
        machines: Sequence[StoredMachine],
        transforms: Sequence[Transform] = (),
        seed: int = 0,
    ) -> None:
        self.machines, self.transforms, self.seed = list(machines), tuple(transforms), seed
        self._first_row = np.cumsum([0, *(len(machine.store) for machine in self.machines)])
        self._templates: dict[tuple[tuple[int, int], ...], GraphInputs] = {}
        self._mapped: dict[int, GraphStore] = {}
        self._read_bytes = 0

    def __len__(self) -> int:
        return int(self._first_row[-1])

    @overload
    def __getitem__(self, rows: int) -> Data: ...
    @overload
    def __getitem__(self, rows: RowBatch) -> TrainingBatch: ...
    def __getitem__(self, rows: int | RowBatch) -> Data | TrainingBatch:
        """Return one window as a graph with the fields of `GraphInputs`, or a loader's batch."""
        if isinstance(rows, RowBatch):
            batch = self.gather(rows)
            for number, transform in enumerate(self.transforms if rows.augment else ()):
                draws = (self.seed, rows.epoch, number)
                batch = transform(batch, generators(draws, batch.window))
            return batch
        batch = self.gather([range(len(self))[rows]])
        fields = batch.inputs._asdict()
        del fields["graph_id"], fields["component_graph"]
        targets = {f"target_{name}": target for name, target in batch.targets.items()}
        return Data(num_nodes=len(batch.inputs.component_kind), **fields, **targets)

    def __getitems__(self, rows: Sequence[int]) -> TrainingBatch:
        """Return a batch; what a plain `torch.utils.data.DataLoader` calls."""
        return self.gather(rows)

    def gather(self, rows: Sequence[int]) -> TrainingBatch:
        """Return windows as one batch; graphs stand in ascending order of their rows.

        The static tensors may be shared with other batches of the same machines: replace them,
        never write into them.

        Raises:
            StoreDamagedError: A checksum does not match.
        """
        wanted = np.sort(np.asarray(rows, dtype=np.int64))
        parts = self.locate(wanted)
        fields = gather_fields(parts)
        inputs = self._template([(machine.layout, len(local)) for machine, local in parts])
        self._account([machine.store for machine, _ in parts], fields)
        return TrainingBatch(inputs._replace(**fields), _targets(parts), torch.from_numpy(wanted))

    def get_equipment_ids(self) -> list[str]:
        """Return the machines' ids, in the order of their windows."""
        return [machine.equipment_id for machine in self.machines]

    def get_statistics(self) -> DatasetStatistics:
        """Read all windows once and return what they are like; memory stays flat."""
        return dataset_statistics(self.machines)

    def locate(self, rows: Rows) -> list[tuple[StoredMachine, Rows]]:
        """Return the machines that rows, ascending, belong to, and their windows' own numbers."""
        number = np.searchsorted(self._first_row, rows, side="right") - 1
        begins = np.flatnonzero(np.diff(number, prepend=-1))
        return [
            (self.machines[number[begin]], part - self._first_row[number[begin]])
            for begin, part in zip(begins, np.split(rows, begins[1:]), strict=True)
        ]

    def _template(self, graphs: Sequence[tuple[GraphLayout, int]]) -> GraphInputs:
        """Return the inputs of a batch with empty fields; the same tensors each time."""
        runs: list[tuple[GraphLayout, int]] = []
        for layout, count in graphs:
            if runs and runs[-1][0] is layout:
                count += runs.pop()[1]
            runs.append((layout, count))
        key = tuple((id(layout), count) for layout, count in runs)
        template = self._templates.get(key)
        if template is None:
            if len(self._templates) >= _TEMPLATES:
                self._templates.clear()
            template = concatenate([_empty_batch(layout, count) for layout, count in runs])
            self._templates[key] = template
        return template

    def _account(self, stores: Sequence[GraphStore], fields: Mapping[str, Tensor]) -> None:
        self._read_bytes += sum(tensor.nbytes for tensor in fields.values())
        self._mapped.update({id(store): store for store in stores})
        if self._read_bytes > RELEASE_BYTES or len(self._mapped) > RELEASE_STORES:
            for store in self._mapped.values():
                store.release()
            self._mapped, self._read_bytes = {}, 0


def _empty_batch(layout: GraphLayout, count: int) -> GraphInputs:
    """Lay out graphs whose windows are yet to be gathered: no steps, no features."""
    features = torch.empty(count, layout.num_sensors, 0, 0)
    return layout.batch(features, torch.empty(count, layout.num_sensors, 0, dtype=torch.bool))


def _targets(parts: Sequence[tuple[StoredMachine, Rows]]) -> dict[str, Tensor]:
    gathered: dict[str, list[Tensor]] = {}
    for machine, rows in parts:
        index = torch.from_numpy(rows)
        for name, target in machine.targets.items():
            gathered.setdefault(name, []).append(target.index_select(0, index).flatten(0, 1))
    return {name: torch.cat(each) if len(each) > 1 else each[0] for name, each in gathered.items()}
