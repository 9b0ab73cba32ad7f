"""The choice of heads that the discriminant answers, and the combinations that it learns from.

Shapes: W windows, Q questions.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hydrascope.models.base import Question
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec


class Questions(NamedTuple):
    """The questions, and the windows that have labels for all of them."""

    questions: tuple[Question, ...]
    unanswered: dict[str, str]
    """Name of each other head → why it is not answered."""
    rows: Tensor
    """The positions of the labelled windows among the W windows, [n] int64, ascending."""
    label: Tensor
    """The position of the label in each question's `classes`, [n, Q] int64."""
    combination: Tensor
    """The number of each window's tuple of labels, [n] int64, without gaps."""


_WITH_CLASSES = (HeadKind.BINARY, HeadKind.MULTI_CLASS, HeadKind.ORDINAL)


def choose_questions(heads: Sequence[HeadSpec], targets: Mapping[str, Tensor]) -> Questions:
    """Return the heads that the discriminant answers: those that grade one component by classes.

    The labels of a window form its combination. The discriminant is trained to generalise to
    unseen combinations, so each class must occur in at least two. Heads of the whole machine are
    excluded, because its state does not vary independently.

    Args:
        heads: The heads of the task.
        targets: Head name → targets [W, N, L], as encoded by `data.targets`.
    """
    unanswered: dict[str, str] = {}
    labels: dict[str, Tensor] = {}
    for head in heads:
        reason, label = _single_label(head, targets[head.name])
        if label is None:
            unanswered[head.name] = reason
        else:
            labels[head.name] = label
    while labels:
        names = list(labels)
        stacked = torch.stack([labels[name] for name in names], 1)
        rows = (~stacked.isnan().any(1)).nonzero().flatten()
        grades = stacked[rows].long()
        tuples, combination = torch.unique(grades, dim=0, return_inverse=True)
        rejected = {
            name: "its classes do not each occur under two combinations of conditions"
            for number, name in enumerate(names)
            if not _separable(tuples[:, number])
        }
        if not rejected:
            break
        unanswered |= rejected
        labels = {name: label for name, label in labels.items() if name not in rejected}
    else:
        none = torch.empty(0, dtype=torch.int64)
        return Questions((), unanswered, none, none.unsqueeze(1), none)
    questions, positions = [], []
    for number, name in enumerate(names):
        head = next(each for each in heads if each.name == name)
        classes, position = torch.unique(grades[:, number], return_inverse=True)
        questions.append(Question(name, len(head.classes) or 2, tuple(classes.tolist())))
        positions.append(position)
    return Questions(tuple(questions), unanswered, rows, torch.stack(positions, 1), combination)


def _single_label(head: HeadSpec, target: Tensor) -> tuple[str, Tensor | None]:
    """Return the single label of each window [W], or the reason why there is none."""
    if head.kind not in _WITH_CLASSES:
        return f"{head.kind} has no classes", None
    if head.level is HeadLevel.MACHINE:
        return "it is about the whole machine", None
    labelled = (~target[..., 0].isnan()).any(0).nonzero().flatten()
    if len(labelled) != 1:
        return f"it grades {len(labelled)} components in training", None
    return "", target[:, int(labelled), 0]


def _separable(grades: Tensor) -> bool:
    """Return whether at least two classes each occur in at least two combinations."""
    _, counts = torch.unique(grades, return_counts=True)
    return len(counts) > 1 and int(counts.min()) > 1
