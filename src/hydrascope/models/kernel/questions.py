"""Which heads the discriminant can answer, and the combinations of conditions that it learns from.

Shapes: W windows, Q questions.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hydrascope.models.base import Question
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec


class Questions(NamedTuple):
    """The questions, and the windows that are labelled for all of them."""

    questions: tuple[Question, ...]
    unanswered: dict[str, str]
    """Every other head → why it is not answered."""
    rows: Tensor
    """[n] int64, ascending; positions among the W windows."""
    label: Tensor
    """[n, Q] int64; position in the question's `classes`."""
    combination: Tensor
    """[n] int64; numbers the tuples of labels that occur, without gaps."""


_WITH_CLASSES = (HeadKind.BINARY, HeadKind.MULTI_CLASS, HeadKind.ORDINAL)


def choose_questions(heads: Sequence[HeadSpec], targets: Mapping[str, Tensor]) -> Questions:
    """Decide which heads the discriminant answers.

    Those that grade one component by classes. The conditions of the components make the
    combination a window was recorded under; the discriminant is trained to answer for combinations
    that it has not seen, so each class must occur under two of them. The machine as a whole is
    another matter: its state is none of the conditions that vary independently.

    Args:
        heads: The task's heads.
        targets: A head's name → [W, N, L], as `data.targets` encodes them.
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
        poor = {
            name: "its classes do not each occur under two combinations of conditions"
            for number, name in enumerate(names)
            if not _told_apart(tuples[:, number])
        }
        if not poor:
            break
        unanswered |= poor
        labels = {name: label for name, label in labels.items() if name not in poor}
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
    """Return the one label of each window [W], or why there is none."""
    if head.kind not in _WITH_CLASSES:
        return f"{head.kind} has no classes", None
    if head.level is HeadLevel.MACHINE:
        return "it speaks of the whole machine", None
    labelled = (~target[..., 0].isnan()).any(0).nonzero().flatten()
    if len(labelled) != 1:
        return f"it grades {len(labelled)} components in training", None
    return "", target[:, int(labelled), 0]


def _told_apart(grades: Tensor) -> bool:
    """Tell whether there are two classes or more, each under two combinations or more."""
    _, counts = torch.unique(grades, return_counts=True)
    return len(counts) > 1 and int(counts.min()) > 1
