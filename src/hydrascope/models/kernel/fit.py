"""The fit: trains the metric on left-out combinations, then solves the head on all rows.

Shapes: n rows of D values, Q questions, C classes over all questions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hydrascope.models.base import Question
from hydrascope.models.kernel.closed_form import discriminant, leave_group_out
from hydrascope.models.kernel.config import DiscriminantConfig
from hydrascope.models.kernel.metric import LearnedMetric, gram
from hydrascope.models.kernel.rows import balanced
from hydrascope.models.kernel.transplant import Transplants

# Chosen by cross-validation inside training folds.
_ROWS_PER_COMBINATION = 3
"""The rows per combination in a training step. The head sees about five times as many, so its ridge
is larger:"""
_RIDGE_SHARE = _ROWS_PER_COMBINATION / 10
_COMBINATIONS = 200
"""The maximum number of combinations in a training step; its time grows with the cube."""
_SHRINKAGE_IN_TRAINING, _SHRINKAGE = 0.05, 0.02
_PENALTY = 1e-4


class LabelledRows(NamedTuple):
    """The rows that the discriminant is fitted to."""

    rows: Tensor
    """The standardised windows, [n, D]."""
    label: Tensor
    """The position of the label in each question's classes, [n, Q] int64."""
    combination: Tensor
    """The number of each row's combination, [n] int64, without gaps."""


class Solution(NamedTuple):
    """The fitted head: logits of x are kernel(x, rows) @ coefficients + bias.

    The C columns hold the classes of one question after the other.
    """

    coefficients: Tensor
    """[n, C]"""
    bias: Tensor
    """[C]"""


def with_transplants(data: LabelledRows, added: Transplants) -> LabelledRows:
    """Return the rows, followed by their transplants."""
    return LabelledRows(
        added.append_to(data.rows, 0),
        torch.cat((data.label, data.label[added.base])),
        torch.cat((data.combination, data.combination[added.base])),
    )


def train_metric(
    metric: LearnedMetric,
    data: LabelledRows,
    questions: Sequence[Question],
    config: DiscriminantConfig,
    random: np.random.Generator,
) -> None:
    """Train the metric on the discriminant's loss for left-out combinations.

    A step draws the same number of rows of each combination and solves the ridge regression of all
    questions. The scores of each combination come from the regression without it. Each question's
    discriminant reads the scores of all questions. Kernels are computed in float32, because its
    errors are small compared with the ridge.
    """
    combination = data.combination.numpy()
    members = [np.flatnonzero(combination == each) for each in range(combination.max() + 1)]
    optimizer = torch.optim.Adam(metric.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, config.steps))
    for _ in range(config.steps):
        chosen = members
        if len(members) > _COMBINATIONS:
            chosen = [members[i] for i in random.choice(len(members), _COMBINATIONS, replace=False)]
        drawn = [
            random.choice(m, _ROWS_PER_COMBINATION, replace=len(m) < _ROWS_PER_COMBINATION)
            for m in chosen
        ]
        rows = torch.from_numpy(np.concatenate(drawn))
        loss = left_out_loss(metric, data.rows[rows].float(), data.label[rows], questions)
        optimizer.zero_grad()
        torch.autograd.backward(loss + _PENALTY * metric.penalty())
        optimizer.step()
        schedule.step()


def left_out_loss(
    metric: LearnedMetric, rows: Tensor, label: Tensor, questions: Sequence[Question]
) -> Tensor:
    """Return the cross-entropy of the discriminants on left-out scores, summed over questions.

    Each block of `_ROWS_PER_COMBINATION` consecutive rows belongs to one combination.
    """
    weight = torch.ones(len(label), dtype=torch.float64)
    kernels = gram(rows, metric.values()).double()
    identity = torch.eye(len(label), dtype=torch.float64)
    inverse = torch.linalg.inv(kernels + _RIDGE_SHARE * metric.ridge() * identity)
    targets = torch.cat(_targets(label, questions, weight), 1)
    joined = leave_group_out(inverse, targets, _ROWS_PER_COMBINATION)
    losses = []
    for number in range(len(questions)):
        # In a large task a draw can lack a class, which then has no mean and is left out.
        present, own = torch.unique(label[:, number], return_inverse=True)
        read, bias = discriminant(joined, own, weight, len(present), _SHRINKAGE_IN_TRAINING)
        losses.append(F.cross_entropy(joined @ read + bias, own))
    return torch.stack(losses).sum()


@torch.no_grad()
def solve(
    metric: LearnedMetric, data: LabelledRows, added: Transplants, questions: Sequence[Question]
) -> Solution:
    """Fit the head on all rows and their transplants, with the same weight for every combination.

    Each question's discriminant is fitted on its own scores of the rows that the regression was
    fitted on. Left-out scores, as in the training of the metric, are less accurate here.
    """
    label = torch.cat((data.label, data.label[added.base]))
    weight = balanced(torch.cat((data.combination, data.combination[added.base])))
    targets = _targets(label, questions, weight)
    sizes = [target.shape[1] for target in targets]
    kernels = gram(data.rows, metric.values(), added)
    with_ridge = kernels.clone()
    with_ridge.diagonal().add_(metric.ridge() / weight)
    alpha = torch.cholesky_solve(torch.cat(targets, 1), torch.linalg.cholesky(with_ridge))
    coefficients, biases = [], []
    by_question = zip(
        alpha.split_with_sizes(sizes, 1), (kernels @ alpha).split_with_sizes(sizes, 1), strict=True
    )
    for number, (own, scores) in enumerate(by_question):
        read, bias = discriminant(scores, label[:, number], weight, sizes[number], _SHRINKAGE)
        coefficients.append(own @ read)
        biases.append(bias)
    return Solution(torch.cat(coefficients, 1), torch.cat(biases))


def _targets(label: Tensor, questions: Sequence[Question], weight: Tensor) -> list[Tensor]:
    """Return each question's centred one-hot labels, [n, classes]."""
    targets = []
    for number, question in enumerate(questions):
        member = F.one_hot(label[:, number], len(question.classes)).double()
        targets.append(member - (weight @ member) / weight.sum())
    return targets
