"""Counts of labelled windows in each part by head, component, label and class.

Shapes: W windows, N components, L labels of a head.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from hydrascope.data.split_spec import Split
from hydrascope.schemas import GraphTopology
from hydrascope.schemas.parts import PARTS
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec

HEAD, COMPONENT, LABEL, CLASS = "head", "component", "label", "class"
LOWEST, HIGHEST = "lowest", "highest"
COLUMNS = (HEAD, COMPONENT, LABEL, CLASS, *PARTS, LOWEST, HIGHEST)
"""The columns of the table: keys, labelled windows of each part, and range in training."""

NUMBER = "number"
"""The entry for regressions in place of a class."""


class _Class(NamedTuple):
    name: str
    code: int | None
    """The position in the head's list; None counts any number."""


def count_labels(
    heads: Sequence[HeadSpec],
    topologies: Sequence[GraphTopology],
    targets: Sequence[Mapping[str, Tensor]],
    split: Split,
) -> pd.DataFrame:
    """Return a row with `COLUMNS` for each head, component, label and class.

    Args:
        heads: Heads of the task.
        topologies: Topology of each machine.
        targets: Targets of each machine from `encode_targets`.
        split: Rows of the windows of all machines, one machine after the other.
    """
    rows: list[tuple[object, ...]] = []
    for head in heads:
        parts: dict[tuple[str, str], list[tuple[Tensor, ...]]] = {}
        first = 0
        # Consecutive machines of one build are counted together.
        for topology, alike in groupby(zip(topologies, targets, strict=True), key=itemgetter(0)):
            encoded = torch.cat([target[head.name] for _, target in alike])
            in_part = [encoded[_within(part, first, len(encoded))] for part in split]
            first += len(encoded)
            for place, component in _places(head, topology):
                for number, label in enumerate(head.columns):
                    found = tuple(part[:, place, number] for part in in_part)
                    parts.setdefault((component, label), []).append(found)
        for (component, label), of_machines in parts.items():
            joined = [torch.cat(each) for each in zip(*of_machines, strict=True)]
            rows += [
                (head.name, component, label, cls.name, *_counts(cls, joined))
                for cls in _classes(head)
            ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _within(rows: np.ndarray, first: int, length: int) -> Tensor:
    begin, end = np.searchsorted(rows, [first, first + length])
    return torch.from_numpy(rows[begin:end] - first)


def _places(head: HeadSpec, topology: GraphTopology) -> Iterator[tuple[int, str]]:
    """Yield position and id of each component in a head's target; the id is "" for a machine."""
    if head.level is HeadLevel.MACHINE:
        yield 0, ""
        return
    for place, component in enumerate(topology.components):
        if head.components is None or component.id in head.components:
            yield place, component.id


def _classes(head: HeadSpec) -> list[_Class]:
    if head.kind is HeadKind.REGRESSION:
        return [_Class(NUMBER, None)]
    names = [cls.name for cls in head.classes] or ["0", "1"]
    return [_Class(name, code) for code, name in enumerate(names)]


def _counts(cls: _Class, parts: Sequence[Tensor]) -> tuple[float, ...]:
    """Return the counts of each part, and the lowest and highest value in training."""
    wanted = [~part.isnan() if cls.code is None else part == cls.code for part in parts]
    values = parts[0][wanted[0]]
    ends = (float(values.min()), float(values.max())) if len(values) else (np.nan, np.nan)
    return (*(int(each.sum()) for each in wanted), *ends)
