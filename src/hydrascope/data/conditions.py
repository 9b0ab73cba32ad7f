"""The condition a window was recorded under: the grades of its components, together."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.data.stored_machine import StoredMachine
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec

_GRADES = (HeadKind.BINARY, HeadKind.MULTI_CLASS, HeadKind.ORDINAL)


class Conditions(NamedTuple):
    """Grades of all windows of a dataset; W windows, K heads.

    Attributes:
        heads: Names of the heads that grade one component by classes.
        grades: [W, K] int64; position of the class, -1 where it is not known.
        number: [W] int64; of the build and the tuple of grades, without gaps; -1 where any grade is
            unknown. Without such heads all windows of a build are of one condition.
    """

    heads: tuple[str, ...]
    grades: NDArray[np.int64]
    number: NDArray[np.int64]


def conditions(machines: Sequence[StoredMachine], heads: Sequence[HeadSpec]) -> Conditions:
    """Return the conditions that the windows of some machines were recorded under.

    A condition is what can be set or worn independently of the others: the grade of one component.
    What a head says of a whole machine is none.
    """
    graded = tuple(head.name for head in heads if _grades_one_component(head, machines))
    builds: dict[int, int] = {}
    columns = []
    for machine in machines:
        build = builds.setdefault(id(machine.layout), len(builds))
        rows = [np.full(len(machine), build)]
        for name in graded:
            target = machine.targets[name][..., 0].numpy()  # [W, N]
            known = ~np.isnan(target)
            grade = np.where(known, target, 0.0).sum(axis=1)
            rows.append(np.where(known.any(axis=1), grade, -1.0).astype(np.int64))
        columns.append(np.stack(rows, axis=1))
    joined = np.concatenate(columns).astype(np.int64)
    known = (joined[:, 1:] >= 0).all(axis=1)
    number = np.full(len(joined), -1, dtype=np.int64)
    number[known] = np.unique(joined[known], axis=0, return_inverse=True)[1].reshape(-1)
    return Conditions(graded, joined[:, 1:], number)


def _grades_one_component(head: HeadSpec, machines: Sequence[StoredMachine]) -> bool:
    if head.kind not in _GRADES or head.level is not HeadLevel.COMPONENT:
        return False
    for machine in machines:
        labelled = ~machine.targets[head.name][..., 0].isnan()
        if int(labelled.any(0).sum()) > 1:
            return False
    return True
