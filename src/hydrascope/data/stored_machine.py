"""A machine of a dataset, with its graph, stored windows and targets."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hydrascope.data.buffers import BufferPool
from hydrascope.data.store.reader import GraphStore
from hydrascope.data.store.window_fields import SENSOR_FEATURES
from hydrascope.data.windows import WindowNumbers
from hydrascope.graphs.fields import SensorReference
from hydrascope.graphs.layout import GraphLayout

_READ_ROWS = 1024
"""The number of windows read at once when iterating over many."""


@dataclass(frozen=True)
class StoredMachine:
    """All windows of one machine.

    Attributes:
        equipment_id: The machine.
        layout: The static part of its graphs, shared by machines of the same build.
        store: The fields that differ between windows.
        targets: Targets from `encode_targets`.
        reference: Reference of its sensors, if the data set has references.
    """

    equipment_id: str
    layout: GraphLayout
    store: GraphStore
    targets: Mapping[str, Tensor]
    reference: SensorReference | None = None

    def __len__(self) -> int:
        return len(self.store)

    @property
    def own_reference(self) -> SensorReference:
        """The reference of its sensors, unknown if the data set has none."""
        if self.reference is not None:
            return self.reference
        return SensorReference.unknown(*self.store.layout[SENSOR_FEATURES][0])

    def read(self, name: str, rows: WindowNumbers | None = None) -> Tensor:
        """Return one field [len(rows), *shape] of ascending windows `rows` (None: all)."""
        rows = np.arange(len(self)) if rows is None else rows
        shape, dtype = self.store.layout[name]
        out = np.empty((len(rows), *shape), dtype)
        if len(rows):
            self.store.take(name, rows, out)
        return torch.from_numpy(out)

    def parts(self, names: Sequence[str], rows: WindowNumbers) -> Iterator[list[Tensor]]:
        """Yield fields of ascending windows `rows`, part by part in bounded memory."""
        for first in range(0, len(rows), _READ_ROWS):
            part = rows[first : first + _READ_ROWS]
            yield [self.read(name, part) for name in names]


def by_build(machines: Sequence[StoredMachine]) -> list[list[int]]:
    """Return the numbers of the machines of each build: the same sensors at the same places."""
    found: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, machine in enumerate(machines):
        found[tuple(machine.layout.sensor_slot.tolist())].append(number)
    return list(found.values())


def gather_fields(
    parts: Sequence[tuple[StoredMachine, WindowNumbers]], buffers: BufferPool
) -> dict[str, Tensor]:
    """Return all fields of windows of several machines, with the first two axes joined.

    Each field has one buffer, with one gather per machine.
    """
    gathered = {}
    if len(parts) == 1:
        ((machine, rows),) = parts
        for name, (shape, dtype) in machine.store.layout.items():
            joined = buffers.empty((len(rows), *shape), dtype)
            machine.store.take(name, rows, joined)
            gathered[name] = torch.from_numpy(joined.reshape(-1, *shape[1:]))
        return gathered
    for name, (shape, dtype) in parts[0][0].store.layout.items():
        shapes = [machine.store.layout[name][0] for machine, _ in parts]
        sizes = [len(rows) * each[0] for (_, rows), each in zip(parts, shapes, strict=True)]
        joined = buffers.empty((sum(sizes), *shape[1:]), dtype)
        begin = 0
        for (machine, rows), each, size in zip(parts, shapes, sizes, strict=True):
            out = joined[begin : begin + size].reshape(len(rows), *each)
            machine.store.take(name, rows, out)
            begin += size
        gathered[name] = torch.from_numpy(joined)
    return gathered


def gather_references(
    parts: Sequence[tuple[StoredMachine, WindowNumbers]], buffers: BufferPool
) -> dict[str, Tensor]:
    """Return the references for windows of several machines, each field in one buffer."""
    each = [machine.reference or () for machine, rows in parts for _ in range(len(rows))]
    sensors = sum(machine.layout.num_sensors * len(rows) for machine, rows in parts)
    gathered = {}
    for name, tensors in zip(SensorReference._fields, zip(*each, strict=True), strict=True):
        dtype = np.dtype(np.bool_ if tensors[0].dtype is torch.bool else np.float32)
        joined = torch.from_numpy(buffers.empty((sensors, *tensors[0].shape[1:]), dtype))
        gathered[name] = torch.cat(tensors, out=joined)
    return gathered
