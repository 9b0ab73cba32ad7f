"""Conditions of windows: the combined grades of their components."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.data.stored_machine import StoredMachine
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec

_GRADES = (HeadKind.BINARY, HeadKind.MULTI_CLASS, HeadKind.ORDINAL)


class Conditions(NamedTuple):
    """The conditions of all windows of a dataset, with W windows and K heads.

    Attributes:
        heads: Names of the heads that grade one component by classes.
        grades: Positions of the classes, [W, K] int64; -1 where unknown.
        number: Consecutive number of each combination of build and grades, [W] int64; -1 if any
            grade is unknown. Without such heads, all windows of a build have one condition.
    """

    heads: tuple[str, ...]
    grades: NDArray[np.int64]
    number: NDArray[np.int64]


def conditions(machines: Sequence[StoredMachine], heads: Sequence[HeadSpec]) -> Conditions:
    """Return the conditions of the windows of some machines.

    Only grades of single components count, since they can vary independently. Heads of a whole
    machine do not.
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
    labelled = (~machine.targets[head.name][..., 0].isnan() for machine in machines)
    return all(int(each.any(0).sum()) <= 1 for each in labelled)
