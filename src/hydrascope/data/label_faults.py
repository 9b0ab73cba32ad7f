"""What is wrong with labels before anything is trained: refused, or said."""

import difflib
from collections.abc import Iterator, Sequence

import pandas as pd

from hydrascope.data.label_counts import CLASS, COMPONENT, HEAD, HIGHEST, LABEL, LOWEST
from hydrascope.data.splits import EQUIPMENT, Split
from hydrascope.data.targets import candidates
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import GraphTopology
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec

_ONE_ANSWER = (HeadKind.BINARY, HeadKind.MULTI_CLASS, HeadKind.ORDINAL)
_ALIKE = 0.8
"""Of two names, of which one may be the other misspelt (`difflib`)."""


def check_parts(split: Split) -> None:
    """Refuse a split of which a part is empty.

    Raises:
        SpecError: Naming the part and the windows of each.
    """
    sizes = {"training": len(split.train), "validation": len(split.val), "test": len(split.test)}
    if empty := [name for name, size in sizes.items() if not size]:
        there = ", ".join(f"{size} {name}" for name, size in sizes.items())
        raise SpecError(
            f"no {empty[0]} window ({there}); record more, or choose a shorter "
            "data.window.stride_s or window_s, another data.split.name or data.split.val_fraction",
            path="data.split",
        )


def check_columns(
    heads: Sequence[HeadSpec],
    topologies: Sequence[GraphTopology],
    tables: Sequence[pd.DataFrame],
) -> None:
    """Refuse label columns that are misspelt: read by no head, while a head misses its own.

    Raises:
        SpecError: Naming the head, the column it misses and what stands in its place.
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
    for head in heads:
        mine = [names for each, names in wanted if each is head]
        if not any(name in present for names in mine for name in names):
            expected = ", ".join(dict.fromkeys(names[0] for names in mine)) or "a component of it"
            raise SpecError(
                f"task head {head.name!r}: the data source has no label for it; expected a column "
                f"{expected}; the labels have: {', '.join(columns) or 'none'}"
            )


def _strange(
    unread: Sequence[str], head: HeadSpec, topologies: Sequence[GraphTopology]
) -> list[str]:
    """Return the columns that may be one of a head's, misspelt.

    Where a head asks all components, a column of one of them is another label of it.
    """
    if head.level is HeadLevel.MACHINE or head.components is not None:
        return list(unread)
    ids = {component.id for topology in topologies for component in topology.components}
    return [name for name in unread if name.partition(".")[0] not in ids]


def check_counts(heads: Sequence[HeadSpec], counts: pd.DataFrame) -> None:
    """Refuse what cannot be learned or judged.

    Args:
        heads: Of the task.
        counts: As `count_labels` gives them.

    Raises:
        SpecError: A head has no label in training or in test, only one value in training, or in
            test a class that training does not show; or no head has one in validation. Names
            head, class and windows.
    """
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
    there = ", ".join(f"{sizes[part]} in {part}" for part in sizes.index)
    for part, name in (("train", "training"), ("test", "test")):
        if not sizes[part]:
            yield (
                f"head {head.name!r}: no labelled window in the {name} part (labelled: {there}); "
                "label more, or choose another data.split"
            )
            return
    if _constant(head, counts):
        only = counts[counts["train"] > 0].iloc[0]
        value = f"{only[LOWEST]:g}" if head.kind is HeadKind.REGRESSION else repr(only[CLASS])
        yield (
            f"head {head.name!r}: every one of the {sizes['train']} labels in training is {value}: "
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
    """Tell whether no label of a head has two values in training."""
    by = [COMPONENT, LABEL] if head.kind is HeadKind.MULTI_LABEL else [LABEL]
    values = counts.groupby(by)
    return not (values[LOWEST].min() < values[HIGHEST].max()).any()


def remarks_on_labels(heads: Sequence[HeadSpec], counts: pd.DataFrame) -> list[str]:
    """Return what is lacking but can be lived with, a line for each head and part."""
    lines = []
    for head in heads:
        mine = counts[counts[HEAD] == head.name]
        if not mine["val"].any():
            lines.append(f"labels: head {head.name!r}: in validation none; it is not calibrated")
        for part, name in (("train", "training"), ("test", "test")):
            bare = mine.groupby(COMPONENT)[part].sum()
            if lacking := [str(each) for each in bare[bare == 0].index if each]:
                lines.append(f"labels: head {head.name!r}: in {name} none of {', '.join(lacking)}")
            if head.kind is HeadKind.REGRESSION:
                continue
            several = head.kind is HeadKind.MULTI_LABEL
            asked = mine[mine[CLASS] == "1"] if several else mine
            seen = asked.groupby(LABEL if several else CLASS, sort=False)[part].sum()
            names = [str(name) if several else repr(name) for name in seen.index[seen == 0]]
            if names:
                lines.append(f"labels: head {head.name!r}: in {name} never {', '.join(names)}")
    return lines
