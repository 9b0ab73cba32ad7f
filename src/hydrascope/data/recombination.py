"""Windows under unrecorded conditions, as sums and differences of recorded windows.

A network trained on combinations of conditions learns the combinations and fails under new ones.
These transforms create new combinations, on the assumption that effects add, as in a linear
discriminant. The effect of a grade is the difference of two windows that differ only in that
grade; it is added to a third window.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.conditions import Conditions
from hydrascope.data.transforms import Generators
from hydrascope.data.window_sums import Gather, WindowSums
from hydrascope.data.windows import WindowNumbers
from hydrascope.schemas.errors import SpecError


@dataclass(frozen=True)
class RecombinationSpec:
    """The most changes to a window, each with probability one half; 0: none.

    Attributes:
        labels: Changes by `Recombination`.
        drift: Changes by `DriftTransplant`.
        drift_reach: Reach of `DriftTransplant`.
        transplants: Changes by `data.transplants.Transplants`.
    """

    labels: int = 0
    drift: int = 0
    drift_reach: float = 1.0
    transplants: int = 0


class _Pairs(NamedTuple):
    """Pairs of conditions that differ only in one grade: `given` is replaced by `taken`."""

    taken: NDArray[np.int64]
    given: NDArray[np.int64]
    grade: NDArray[np.int64]
    """The grade in `taken`."""


class Bank:
    """The training windows by condition, for drawing differences.

    Args:
        rows: The training windows.
        known: The conditions of all windows.
        gather: Returns ascending windows as a batch.

    Raises:
        SpecError: No head grades a single component.
    """

    def __init__(self, rows: WindowNumbers, known: Conditions, gather: Gather) -> None:
        if not known.heads:
            raise SpecError(
                "recombination and drift need a head that grades one component by "
                "classes; accepted with this task: 0",
                path="data.transforms",
            )
        rows = rows[known.number[rows] >= 0]
        self.heads, self.gather, self._grades = known.heads, gather, known.grades
        order = rows[np.argsort(known.number[rows], kind="stable")]
        numbers, first = np.unique(known.number[order], return_index=True)
        self._number = known.number
        self._members = dict(zip(numbers.tolist(), np.split(order, first[1:]), strict=True))
        self._order = order
        self._pairs = self._find_pairs(known, order[first])

    @property
    def has_pairs(self) -> bool:
        """Return whether any two conditions differ in only one grade."""
        return bool(self._pairs)

    def _find_pairs(
        self, known: Conditions, windows: WindowNumbers
    ) -> dict[tuple[int, int], _Pairs]:
        """Return pairs by head and replaced grade; `windows` has one window of each condition."""
        grades, numbers = known.grades[windows], known.number[windows]  # [conditions, K]
        differ = grades[:, None] != grades[None]
        pairs = {}
        for head in range(grades.shape[1]):
            alone = differ[..., head] & (differ.sum(-1) == 1)
            taken, given = np.nonzero(alone)
            for grade in np.unique(grades[given, head]).tolist():
                match = grades[given, head] == grade
                pairs[head, grade] = _Pairs(
                    numbers[taken[match]], numbers[given[match]], grades[taken[match], head]
                )
        return pairs

    def grades(self, window: int) -> list[int]:
        """Return the grades of a window, -1 where unknown."""
        found: list[int] = self._grades[window].tolist()
        return found

    def draw(self, condition: int, random: np.random.Generator) -> int:
        """Draw a window of a condition."""
        members = self._members[condition]
        return int(members[random.integers(len(members))])

    def draw_alike(self, random: np.random.Generator) -> tuple[int, int]:
        """Draw any window and another one of its condition."""
        taken = int(self._order[random.integers(len(self._order))])
        return taken, self.draw(int(self._number[taken]), random)

    def draw_pair(
        self, head: int, grade: int, random: np.random.Generator
    ) -> tuple[int, int, int] | None:
        """Draw two windows whose difference replaces `grade`, and return them with the new grade.

        Return None if no pair replaces this grade.
        """
        pairs = self._pairs.get((head, grade))
        if pairs is None:
            return None
        which = random.integers(len(pairs.grade))
        taken = self.draw(int(pairs.taken[which]), random)
        given = self.draw(int(pairs.given[which]), random)
        return taken, given, int(pairs.grade[which])


@dataclass(frozen=True)
class Recombination:
    """Changes grades of windows: x + a − b, where a and b differ only in one grade.

    b has the grade of x; the new window has the grade of a. The targets of other heads become
    missing.

    Attributes:
        bank: Source of a and b.
        times: Most changes to a window, each with probability one half.
    """

    bank: Bank
    times: int

    def __post_init__(self) -> None:
        if not self.bank.has_pairs:
            raise SpecError(
                "no two conditions of the training windows differ "
                "in one grade alone; accepted with these labels: 0",
                path="data.transforms.recombination",
            )

    def __call__(self, batch: TrainingBatch, random: Generators) -> TrainingBatch:
        """Return the batch with other features and targets."""
        terms = WindowSums()
        grades = [self.bank.grades(window) for window in batch.window.tolist()]
        changed: dict[int, list[int]] = {}
        for graph, (rng, current) in enumerate(zip(random, grades, strict=True)):
            for _ in range(self.times):
                head = int(rng.integers(len(current)))
                if rng.random() < 0.5 or current[head] < 0:
                    continue
                found = self.bank.draw_pair(head, current[head], rng)
                if found is not None:
                    taken, given, current[head] = found
                    terms.add(graph, taken, given)
                    changed[graph] = current
        if not changed:
            return batch
        return self._relabelled(terms.applied(batch, self.bank.gather, self.bank.heads), changed)

    def _relabelled(self, batch: TrainingBatch, changed: dict[int, list[int]]) -> TrainingBatch:
        graphs = torch.tensor(list(changed))
        grades = torch.tensor(list(changed.values()), dtype=torch.float32)  # [changed, K]
        count = len(batch.inputs.graph_id)
        number = torch.full((count,), -1).index_copy(0, graphs, torch.arange(len(graphs)))
        targets = {}
        for name, target in batch.targets.items():
            at_component = len(target) != count or name in self.bank.heads
            of_row = number[batch.inputs.component_graph] if at_component else number
            value = torch.full_like(target, torch.nan)
            if name in self.bank.heads:
                grade = grades[:, self.bank.heads.index(name)]
                new = grade[of_row.clamp(min=0)].unsqueeze(1).expand_as(target)
                value = torch.where(target.isnan(), target, new)
            targets[name] = torch.where((of_row >= 0).unsqueeze(1), value, target)
        return batch._replace(targets=targets)


@dataclass(frozen=True)
class DriftTransplant:
    """Adds drift to windows: x + a − b, where a and b have the same condition.

    Two windows of one condition differ by drift: temperatures, the state of the oil, the order of
    the trials. The same drift, or more, could have affected x. Grades stay; the target of another
    head becomes missing if a and b differ in it. All windows are drawn equally often, since
    conditions with many windows drifted far.

    Attributes:
        bank: Source of a and b.
        times: Most changes to a window, each with probability one half.
        reach: Largest factor of the difference, drawn evenly from 1 on.
    """

    bank: Bank
    times: int
    reach: float = 1.0

    def __call__(self, batch: TrainingBatch, random: Generators) -> TrainingBatch:
        """Return the batch with other features."""
        terms = WindowSums()
        for graph, rng in enumerate(random):
            for _ in range(self.times):
                if rng.random() < 0.5:
                    taken, given = self.bank.draw_alike(rng)
                    terms.add(graph, taken, given, rng.uniform(1.0, self.reach))
        return terms.applied(batch, self.bank.gather, self.bank.heads)
