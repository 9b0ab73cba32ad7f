"""Windows with faults of other machines: the change of one is added to another of its build.

Few machines show few combinations of faults, which a network then learns by heart. As in
`data.recombination`, effects are assumed to add. Here, however, any of many components can have any
fault of any severity. Pairs are therefore windows of one machine at two times, of which one has
fewer or smaller faults.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.stored_machine import StoredMachine
from hydrascope.data.transforms import Generators
from hydrascope.data.window_sums import Gather, WindowSums
from hydrascope.data.windows import WindowNumbers
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec

_UNKNOWN = -1.0
"""The value of missing labels, which are equal to each other."""


class MachineBank:
    """The training windows by machine, for drawing pairs of one machine.

    Args:
        machines: All machines of the data set, in the order of their windows.
        rows: The training windows, ascending.
        heads: Heads of the task.
        gather: Returns ascending windows as a batch.

    Raises:
        SpecError: There is no component-level head.
    """

    def __init__(
        self,
        machines: Sequence[StoredMachine],
        rows: WindowNumbers,
        heads: Sequence[HeadSpec],
        gather: Gather,
    ) -> None:
        self.heads, self.gather = tuple(heads), gather
        of_component = [head for head in heads if head.level is HeadLevel.COMPONENT]
        if not of_component:
            raise SpecError(
                "data.transforms.transplants needs component-level heads; accepted with this task: "
                "0"
            )
        self._first = np.cumsum([0, *(len(machine) for machine in machines)])
        self._build = np.array([id(machine.layout) for machine in machines])
        owner = np.searchsorted(self._first, rows, side="right") - 1
        numbers, begin = np.unique(owner, return_index=True)
        self._windows = dict(zip(numbers.tolist(), np.split(rows, begin[1:]), strict=True))
        self._alike = {
            build: numbers[self._build[numbers] == build] for build in set(self._build.tolist())
        }
        self._sizes = [len(head.columns) for head in of_component]
        self.of_component = [head.name for head in of_component]
        self._labels = [_flat(machine, self.of_component) for machine in machines]

    def machine(self, window: int) -> int:
        """Return the number of a window's machine."""
        return int(np.searchsorted(self._first, window, side="right") - 1)

    def labels(self, window: int) -> NDArray[np.float32]:
        """Return all component labels of a window, flat; -1 where missing."""
        machine = self.machine(window)
        found: NDArray[np.float32] = self._labels[machine][window - self._first[machine]]
        return found

    def apart(self, labels: NDArray[np.float32]) -> dict[str, Tensor]:
        """Return flat labels of a window by head, [N, L]; NaN where missing."""
        known = np.where(labels == _UNKNOWN, np.float32(np.nan), labels)
        components = len(known) // sum(self._sizes)
        parts = np.split(known, components * np.cumsum(self._sizes)[:-1])
        named = zip(self.of_component, parts, strict=True)
        return {name: torch.from_numpy(part.reshape(components, -1)) for name, part in named}

    def draw(self, window: int, random: np.random.Generator) -> tuple[int, int]:
        """Draw two windows of one machine that has the build of `window`."""
        alike = self._alike[int(self._build[self.machine(window)])]
        windows = self._windows[int(alike[random.integers(len(alike))])]
        taken, given = random.integers(len(windows), size=2)
        return int(windows[taken]), int(windows[given])


@dataclass(frozen=True)
class Transplants:
    """Adds the change of another machine between two times: x + a − b.

    a and b are windows of one machine of the same build. Where their component labels differ, x
    must have the labels of b and gets those of a; otherwise, x is not changed. Targets of machines
    follow from those of their components if they are made of them, and become missing if not.

    Attributes:
        bank: Source of a and b.
        times: Most changes to a window, each with probability one half.
    """

    bank: MachineBank
    times: int

    def __call__(self, batch: TrainingBatch, random: Generators) -> TrainingBatch:
        """Return the batch with other features and targets."""
        sums, changed = WindowSums(), {}
        for graph, (rng, window) in enumerate(zip(random, batch.window.tolist(), strict=True)):
            labels = self.bank.labels(window)
            for _ in range(self.times):
                if rng.random() < 0.5:
                    continue
                taken, given = self.bank.draw(window, rng)
                a, b = self.bank.labels(taken), self.bank.labels(given)
                differ = a != b
                if (labels[differ] == b[differ]).all():
                    labels = np.where(differ, a, labels)
                    sums.add(graph, taken, given)
                    changed[graph] = labels
        if not changed:
            return batch
        return self._relabelled(sums.applied(batch, self.bank.gather, batch.targets), changed)

    def _relabelled(
        self, batch: TrainingBatch, changed: Mapping[int, NDArray[np.float32]]
    ) -> TrainingBatch:
        targets, graph, count = dict(batch.targets), batch.inputs.component_graph, len(batch.window)
        moved = torch.zeros(count, dtype=torch.bool)
        moved[list(changed)] = True
        rows = moved[graph].nonzero().flatten()
        parts = [self.bank.apart(changed[number]) for number in sorted(changed)]
        for name in self.bank.of_component:
            new = torch.cat([part[name] for part in parts])
            targets[name] = targets[name].index_copy(0, rows, new)
        for head in self.bank.heads:
            if head.level is HeadLevel.MACHINE:
                made = torch.full_like(targets[head.name], torch.nan)
                if head.evidence is not None:
                    made = _of_components(head, targets[head.evidence], graph, count)
                targets[head.name] = torch.where(moved.unsqueeze(1), made, targets[head.name])
        return batch._replace(targets=targets)


def _flat(machine: StoredMachine, heads: Sequence[str]) -> NDArray[np.float32]:
    """Return all component labels of a machine, [W, numbers]; -1 where missing."""
    each = [machine.targets[name].flatten(1).numpy() for name in heads]
    flat: NDArray[np.float32] = np.nan_to_num(np.concatenate(each, axis=1), nan=_UNKNOWN)
    return flat


def _of_components(head: HeadSpec, target: Tensor, graph: Tensor, graphs: int) -> Tensor:
    """Return the targets [G, L] of machines from those of their components, [N, L].

    They are the least health of any component, and each label that any component has.
    """
    least = head.kind is HeadKind.REGRESSION
    known = torch.nan_to_num(target, nan=torch.inf if least else -torch.inf)
    empty = known.new_full((graphs, known.shape[1]), torch.nan)
    rows = graph.unsqueeze(1).expand_as(known)
    made = empty.scatter_reduce(0, rows, known, "amin" if least else "amax", include_self=False)
    return torch.where(made.isfinite(), made, torch.nan)
