"""Windows of many machines as one packed dataset: a batch is a gather, not a loop over graphs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from hydrascope.data.splits import Rows
from hydrascope.graphs.fields import GraphInputs, WindowFields
from hydrascope.graphs.graph import HydraulicGraph, to_graph
from hydrascope.graphs.layout import GraphLayout, concatenate


class TrainingBatch(NamedTuple):
    """A batch with its answers."""

    inputs: GraphInputs
    targets: dict[str, Tensor]
    """A head's name → float [G, L] (machine level) or [N, L] (component level), L = 1 but for
    multi-label heads; classes as their number, NaN where there is no label."""
    window: Tensor
    """[G] int64; row of the dataset's window table that each graph was made from."""


@dataclass(frozen=True)
class PackedMachine:
    """All windows of one machine, ready to gather; targets as `encode_targets` gives them."""

    layout: GraphLayout
    fields: WindowFields
    targets: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.fields.sensor_features)


class WindowDataset(Dataset[TrainingBatch]):
    """Row `i` is the i-th window, machine after machine."""

    def __init__(self, machines: Sequence[PackedMachine]) -> None:
        self.machines = list(machines)
        self._first_row = np.cumsum([0, *map(len, self.machines)])

    def __len__(self) -> int:
        return int(self._first_row[-1])

    def __getitems__(self, rows: Sequence[int]) -> TrainingBatch:
        """Gather windows into one batch; graphs stand machine by machine."""
        wanted = np.sort(np.asarray(rows, dtype=np.int64))
        cuts = np.searchsorted(wanted, self._first_row[1:-1])
        inputs, targets = [], []
        for number, chosen in enumerate(np.split(wanted, cuts)):
            if len(chosen):
                machine = self.machines[number]
                local = torch.from_numpy(chosen - self._first_row[number])
                inputs.append(machine.layout.batch(machine.fields.rows(local)))
                targets.append({k: v[local].flatten(0, 1) for k, v in machine.targets.items()})
        joined = {name: torch.cat([part[name] for part in targets]) for name in targets[0]}
        return TrainingBatch(concatenate(inputs), joined, torch.from_numpy(wanted))

    def __getitem__(self, row: int) -> HydraulicGraph:
        """Return one window as a PyTorch Geometric graph with the fields of `GraphInputs`."""
        batch = self.__getitems__([row])
        targets = {f"target_{name}": target for name, target in batch.targets.items()}
        return to_graph(batch.inputs, **targets)


class SeededShuffle(Sampler[int]):
    """Rows in an order that depends on (seed, epoch) alone, so that a resumed run repeats it."""

    def __init__(self, rows: Rows, seed: int) -> None:
        self.rows, self.seed, self.epoch = rows, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.rows))
        yield from self.rows[order].tolist()
