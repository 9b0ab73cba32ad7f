"""Windows with faults of other machines: what happened to one is added to another of its build.

Faults come alone or in few combinations with few machines, and a network that is trained on these
learns them by heart. As in `data.recombination` effects are assumed to add; but here what varies is
not the grade of a component under test but which of many components have what, and how far. So
pairs are drawn of one machine, which had a fault less, or a smaller one, at another time.
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
"""Of a label that is missing; two such are alike."""


class MachineBank:
    """The training windows by machine, to draw pairs of one machine from.

    Args:
        machines: All of the data set, in the order of their windows.
        rows: The training windows, ascending.
        heads: The task's.
        gather: Returns windows, ascending, as a batch.

    Raises:
        SpecError: No head speaks of components.
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
                "data.transforms.transplants needs heads that speak of components; accepted with "
                "this task: 0"
            )
        self._first = np.cumsum([0, *(len(machine) for machine in machines)])
        self._build = np.array([id(machine.layout) for machine in machines])
        mine = np.searchsorted(self._first, rows, side="right") - 1
        numbers, begin = np.unique(mine, return_index=True)
        self._windows = dict(zip(numbers.tolist(), np.split(rows, begin[1:]), strict=True))
        self._alike = {
            build: numbers[self._build[numbers] == build] for build in set(self._build.tolist())
        }
        self._sizes = [len(head.columns) for head in of_component]
        self.of_component = [head.name for head in of_component]
        self._labels = [_flat(machine, self.of_component) for machine in machines]

    def machine(self, window: int) -> int:
        """Return the number of the machine that a window is of."""
        return int(np.searchsorted(self._first, window, side="right") - 1)

    def labels(self, window: int) -> NDArray[np.float32]:
        """Return all that is said of a window's components, flat; -1 where nothing is."""
        machine = self.machine(window)
        found: NDArray[np.float32] = self._labels[machine][window - self._first[machine]]
        return found

    def apart(self, labels: NDArray[np.float32]) -> dict[str, Tensor]:
        """Return flat labels of a window by head, [N, L]; NaN where nothing is said."""
        said = np.where(labels == _UNKNOWN, np.float32(np.nan), labels)
        parts, first = {}, 0
        components = len(said) // sum(self._sizes)
        for name, size in zip(self.of_component, self._sizes, strict=True):
            part = said[first : first + components * size]
            parts[name] = torch.from_numpy(part.reshape(components, size))
            first += components * size
        return parts

    def draw(self, window: int, random: np.random.Generator) -> tuple[int, int]:
        """Return two windows of one machine of the build of `window`."""
        alike = self._alike[int(self._build[self.machine(window)])]
        windows = self._windows[int(alike[random.integers(len(alike))])]
        taken, given = random.integers(len(windows), size=2)
        return int(windows[taken]), int(windows[given])


@dataclass(frozen=True)
class Transplants:
    """Adds what another machine had at one time and not at another: x + a − b.

    a and b are of one machine of the same build. Wherever they differ in what its components have,
    x has to have what b has, and takes what a has; where it has not, x stays as it is. Heads of
    machines follow from those of components they are made of; of the others nothing is said any
    more.

    Attributes:
        bank: Where a and b are drawn from.
        times: How often a window is changed at most; each time with probability one half.
    """

    bank: MachineBank
    times: int

    def __call__(self, batch: TrainingBatch, random: Generators) -> TrainingBatch:
        """Return the batch with other features and targets."""
        sums, changed = WindowSums(), {}
        for graph, (rng, window) in enumerate(zip(random, batch.window.tolist(), strict=True)):
            mine = self.bank.labels(window)
            for _ in range(self.times):
                if rng.random() < 0.5:
                    continue
                taken, given = self.bank.draw(window, rng)
                a, b = self.bank.labels(taken), self.bank.labels(given)
                differ = a != b
                if (mine[differ] == b[differ]).all():
                    mine = np.where(differ, a, mine)
                    sums.add(graph, taken, given)
                    changed[graph] = mine
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
    """Return all that heads say of a machine's components, [W, numbers]; -1 where nothing."""
    each = [machine.targets[name].flatten(1).numpy() for name in heads]
    flat: NDArray[np.float32] = np.nan_to_num(np.concatenate(each, axis=1), nan=_UNKNOWN)
    return flat


def _of_components(head: HeadSpec, said: Tensor, graph: Tensor, graphs: int) -> Tensor:
    """Return what is true of machines, [G, L], by what is of their components, [N, L].

    The least health of any component, and each label that any of them has.
    """
    least = head.kind is HeadKind.REGRESSION
    known = torch.nan_to_num(said, nan=torch.inf if least else -torch.inf)
    empty = known.new_full((graphs, known.shape[1]), torch.nan)
    rows = graph.unsqueeze(1).expand_as(known)
    made = empty.scatter_reduce(0, rows, known, "amin" if least else "amax", include_self=False)
    return torch.where(made.isfinite(), made, torch.nan)
