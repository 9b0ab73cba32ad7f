"""Checks of labels before training: errors and remarks."""

import difflib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.label_counts import CLASS, COMPONENT, HEAD, HIGHEST, LABEL, LOWEST
from hydrascope.data.split_spec import Split
from hydrascope.data.targets import candidates
from hydrascope.data.windows import EQUIPMENT
from hydrascope.schemas import GraphTopology
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec

_ONE_ANSWER = (HeadKind.BINARY, HeadKind.MULTI_CLASS, HeadKind.ORDINAL)
_NAMED = 12
"""The most components that a remark names."""
_ALIKE = 0.8
"""The similarity (`difflib`) of two names from which one may be a misspelling of the other."""


def check_parts(split: Split) -> None:
    """Refuse a split with an empty part.

    Raises:
        SpecError: A part is empty; the message gives the sizes of all parts.
    """
    sizes = {"training": len(split.train), "validation": len(split.val), "test": len(split.test)}
    if empty := [name for name, size in sizes.items() if not size]:
        listed = ", ".join(f"{size} {name}" for name, size in sizes.items())
        raise SpecError(
            f"no {empty[0]} window ({listed}); record more, or choose a shorter "
            "data.window.stride_s or window_s, another data.split.name or data.split.val_fraction",
            path="data.split",
        )


def check_learned(split: Split, learned: NDArray[np.bool_]) -> None:
    """Refuse a split in which normality has nothing to learn from, or to set its thresholds on.

    Args:
        split: The split.
        learned: Whether normality learns from a window, [rows].

    Raises:
        SpecError: No training or no validation window is to learn from.
    """
    for name, rows, why in (
        ("training", split.train, "are learned from"),
        ("validation", split.val, "set the threshold"),
    ):
        if not learned[rows].any():
            raise SpecError(
                f"task.normality: no {name} window is healthy, but they {why}; accepted: a "
                "data.split that leaves some"
            )


def check_columns(
    heads: Sequence[HeadSpec],
    topologies: Sequence[GraphTopology],
    tables: Sequence[pd.DataFrame],
    *,
    some: bool = False,
) -> None:
    """Refuse misspelt label columns: no head reads them, while a head lacks its own.

    Args:
        heads: Heads of the task.
        topologies: Those of the machines.
        tables: Their window tables.
        some: Whether a head may lack labels, as long as another has some.

    Raises:
        SpecError: A head has no label column, or a column is probably misspelt.
    """
    present = dict.fromkeys(str(c) for table in tables for c in table.columns)
    columns = [name for name in present if name not in (EQUIPMENT, "start")]
    wanted = [
        (head, names)
        for head in heads
        for topology in {topology.id: topology for topology in topologies}.values()
        for each in candidates(head, topology).values()
        for names in each
    ]
    read = {name for _, names in wanted for name in names}
    unread = [name for name in columns if name not in read]
    for head, names in wanted:
        if any(name in present for name in names):
            continue
        if near := difflib.get_close_matches(
            names[0], _strange(unread, head, topologies), 1, _ALIKE
        ):
            raise SpecError(
                f"task head {head.name!r}: no label column {names[0]!r}; did you mean "
                f"{near[0]!r}? The labels have: {', '.join(columns)}"
            )
    if some and any(name in present for _, names in wanted for name in names):
        return
    for head in heads:
        accepted = [names for each, names in wanted if each is head]
        if not any(name in present for names in accepted for name in names):
            first = dict.fromkeys(names[0] for names in accepted)
            expected = ", ".join(first) or "a component of it"
            raise SpecError(
                f"task head {head.name!r}: the data source has no label for it; expected a column "
                f"{expected}; the labels have: {', '.join(columns) or 'none'}"
            )


def _strange(
    unread: Sequence[str], head: HeadSpec, topologies: Sequence[GraphTopology]
) -> list[str]:
    """Return the columns that may be misspelt columns of a head.

    If the head covers all components, columns of known components are other labels.
    """
    if head.level is HeadLevel.MACHINE or head.components is not None:
        return list(unread)
    ids = {component.id for topology in topologies for component in topology.components}
    return [name for name in unread if name.partition(".")[0] not in ids]


def check_counts(heads: Sequence[HeadSpec], counts: pd.DataFrame, *, some: bool = False) -> None:
    """Check that the labels allow training and evaluation.

    Args:
        heads: Heads of the task.
        counts: Counts from `count_labels`.
        some: Whether a head may lack labels, as long as another has some.

    Raises:
        SpecError: A head has no label in training or test, only one value in training, or a class
            in test that is absent in training; or no head has a label in validation.
    """
    if some:
        labelled = counts.groupby(HEAD)[["train", "val", "test"]].sum().sum(axis=1)
        heads = [head for head in heads if labelled.get(head.name, 0)] or heads
    faults = [fault for head in heads for fault in _faults(head, counts[counts[HEAD] == head.name])]
    if heads and not counts["val"].any():
        faults.append(
            "no labelled window in the validation part, which chooses the epoch to keep; label "
            "more, or choose another data.split"
        )
    if faults:
        raise SpecError(*faults, source="labels")


def _faults(head: HeadSpec, counts: pd.DataFrame) -> Iterator[str]:
    sizes = counts[["train", "val", "test"]].sum()
    listed = ", ".join(f"{sizes[part]} in {part}" for part in sizes.index)
    for part, name in (("train", "training"), ("test", "test")):
        if not sizes[part]:
            yield (
                f"head {head.name!r}: no labelled window in the {name} part (labelled: {listed}); "
                "label more, or choose another data.split"
            )
            return
    if _constant(head, counts):
        seen = counts[counts["train"] > 0]
        only = seen.iloc[0]
        value = f"{only[LOWEST]:g}" if head.kind is HeadKind.REGRESSION else repr(only[CLASS])
        every = f"every one of the {sizes['train']} labels in training is {value}"
        if head.kind is HeadKind.MULTI_LABEL and seen[CLASS].nunique() > 1:
            every = "no label has two values in training"
        yield (
            f"head {head.name!r}: {every}: "
            "there is nothing to learn; label other windows, or choose another data.split"
        )
    elif head.kind in _ONE_ANSWER:
        by_class = counts.groupby(CLASS, sort=False)[["train", "test"]].sum()
        for cls, row in by_class[(by_class["train"] == 0) & (by_class["test"] > 0)].iterrows():
            yield (
                f"head {head.name!r}: class {cls!r} has no window in training, but {row['test']} "
                "in test; choose another data.split, or take it out of the task"
            )


def _constant(head: HeadSpec, counts: pd.DataFrame) -> bool:
    """Return whether no label of a head has two values in training."""
    by = [COMPONENT, LABEL] if head.kind is HeadKind.MULTI_LABEL else [LABEL]
    values = counts.groupby(by)
    return not (values[LOWEST].min() < values[HIGHEST].max()).any()


def remarks_on_labels(heads: Sequence[HeadSpec], counts: pd.DataFrame) -> list[str]:
    """Return what is lacking without preventing a training, one line per head and part."""
    lines, bare = [], []
    for head in heads:
        rows = counts[counts[HEAD] == head.name]
        if not rows[["train", "val", "test"]].to_numpy().any():
            bare.append(repr(head.name))
            continue
        if not rows["val"].any():
            lines.append(f"labels: head {head.name!r}: in validation none; it is not calibrated")
        for part, name in (("train", "training"), ("test", "test")):
            found = rows.groupby(COMPONENT)[part].sum()
            if lacking := [str(each) for each in found[found == 0].index if each]:
                lines.append(f"labels: head {head.name!r}: in {name} none of {_few(lacking)}")
            if head.kind is HeadKind.REGRESSION:
                continue
            several = head.kind is HeadKind.MULTI_LABEL
            positive = rows[rows[CLASS] == "1"] if several else rows
            seen = positive.groupby(LABEL if several else CLASS, sort=False)[part].sum()
            names = [str(name) if several else repr(name) for name in seen.index[seen == 0]]
            if names:
                lines.append(f"labels: head {head.name!r}: in {name} never {', '.join(names)}")
    if bare:
        lines.append(f"labels: none for {', '.join(bare)}, which are neither learned nor judged")
    return lines


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
