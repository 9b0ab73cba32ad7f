"""Encoding of the labels of a window table as target tensors."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from hydrascope.schemas import GraphTopology
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec


def encode_targets(
    heads: Sequence[HeadSpec], topology: GraphTopology, table: pd.DataFrame
) -> dict[str, Tensor]:
    """Return one float32 tensor per head; NaN where there is no label.

    For W windows and N components, shapes are [W, 1, L] at machine level and [W, N, L] at component
    level. L is the number of the head's labels, or 1. Classes are their position in the head's
    list. Values above a head's cap are the cap.

    Raises:
        SpecError: A label is not a number, or not one of the head's classes (0 and 1 for a binary
            or multi-label head), or negative for a head with a log scale.
    """
    return {head.name: _encode(head, topology, table) for head in heads}


def encode_machines(
    heads: Sequence[HeadSpec], topologies: Sequence[GraphTopology], tables: Sequence[pd.DataFrame]
) -> list[dict[str, Tensor]]:
    """Encode the targets of each machine; machines of one build are encoded together.

    Raises:
        SpecError: As in `encode_targets`.
    """
    alike: defaultdict[object, list[int]] = defaultdict(list)
    for number, (topology, table) in enumerate(zip(topologies, tables, strict=True)):
        alike[id(topology), tuple(table.columns)].append(number)
    found: dict[int, dict[str, Tensor]] = {}
    for numbers in alike.values():
        joined = pd.concat([tables[number] for number in numbers], ignore_index=True)
        encoded = encode_targets(heads, topologies[numbers[0]], joined)
        lengths = [len(tables[number]) for number in numbers]
        parts = {name: torch.split(target, lengths) for name, target in encoded.items()}
        for at, number in enumerate(numbers):
            found[number] = {name: part[at] for name, part in parts.items()}
    return [found[number] for number in range(len(tables))]


def candidates(head: HeadSpec, topology: GraphTopology) -> dict[str, list[list[str]]]:
    """Return the possible columns of each label of a head; the first existing one is used.

    They are by component id, or "" for the whole machine.
    """
    if head.level is HeadLevel.MACHINE:
        return {"": [[name] for name in head.columns]}
    single = head.components is not None and len(head.components) == 1
    return {
        component.id: [
            [f"{component.id}.{name}", *([name] if single else [])] for name in head.columns
        ]
        for component in topology.components
        if head.components is None or component.id in head.components
    }


def _encode(head: HeadSpec, topology: GraphTopology, table: pd.DataFrame) -> Tensor:
    names = candidates(head, topology)
    if head.level is HeadLevel.MACHINE:
        return _labels(head, table, names[""]).unsqueeze(1)
    none: list[list[str]] = [[] for _ in head.columns]
    per_component = [
        _labels(head, table, names.get(component.id, none)) for component in topology.components
    ]
    return torch.stack(per_component, dim=1)


def _labels(head: HeadSpec, table: pd.DataFrame, columns: Sequence[Sequence[str]]) -> Tensor:
    """Read the labels [W, L] of a head, each from the first existing column."""
    values = [_column(head, table, names) for names in columns]
    return torch.from_numpy(np.stack(values, axis=-1).astype(np.float32))


def _column(head: HeadSpec, table: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    found = next((name for name in names if name in table), None)
    if found is None:
        return np.full(len(table), np.nan)
    labels = table[found]
    missing = labels.isna().to_numpy()
    values = pd.to_numeric(labels, errors="coerce").to_numpy(dtype=np.float64)
    if head.kind is HeadKind.REGRESSION:
        accepted, known = "finite numbers", np.isfinite(values)
        if head.scale == "log":
            accepted, known = "numbers of at least 0, because of its log scale", values >= 0
            known &= np.isfinite(values)
        encoded = values if head.cap is None else np.minimum(values, head.cap)
    else:
        classes = np.array([cls.value for cls in head.classes] or [0.0, 1.0])
        match = values[:, None] == classes
        accepted, known = ", ".join(f"{value:g}" for value in classes), match.any(axis=1)
        encoded = np.where(missing, np.nan, match.argmax(axis=1))
    if len(refused := np.flatnonzero(~known & ~missing)):
        row = int(refused[0])
        value = repr(labels.iloc[row]) if np.isnan(values[row]) else f"{values[row]:g}"
        raise SpecError(
            f"label {found!r} at {table['start'].iloc[row]} is {value}; accepted by head "
            f"{head.name!r}: {accepted}"
        )
    return encoded
