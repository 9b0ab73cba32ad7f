"""Training the metric on combinations left out, then the head on all rows, in closed form.

Shapes: n rows of D numbers, Q questions, C classes of all questions together.
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
"""Of a training step. The head sees about five times as many, with a ridge to match:"""
_RIDGE_SHARE = _ROWS_PER_COMBINATION / 10
_COMBINATIONS = 200
"""At most in a training step, whose time grows with the cube of it."""
_SHRINKAGE_IN_TRAINING, _SHRINKAGE = 0.05, 0.02
_PENALTY = 1e-4


class LabelledRows(NamedTuple):
    """What is learned from."""

    rows: Tensor
    """[n, D]"""
    label: Tensor
    """[n, Q] int64; position in the question's classes."""
    combination: Tensor
    """[n] int64, without gaps."""


class Solution(NamedTuple):
    """Logits: kernel of x and all rows @ coefficients + bias; the questions' classes in turn."""

    coefficients: Tensor
    """[n, C]"""
    bias: Tensor
    """[C]"""


def with_transplants(data: LabelledRows, added: Transplants) -> LabelledRows:
    """Return the rows and, after them, the transplants of them."""
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
    """Train the metric so that the discriminant of scores with each combination left out is right.

    A step draws as many rows of each combination, solves the ridge regression of all questions,
    takes the scores of each combination without it, and lets each question's discriminant read
    all of them. Kernels are computed in float32, whose errors are small beside the ridge.
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
    """Return the cross-entropy of the discriminants of left-out scores, summed over questions.

    Every `_ROWS_PER_COMBINATION` rows in turn are of one combination.
    """
    weight = torch.ones(len(label), dtype=torch.float64)
    alike = gram(rows, metric.values()).double()
    identity = torch.eye(len(label), dtype=torch.float64)
    inverse = torch.linalg.inv(alike + _RIDGE_SHARE * metric.ridge() * identity)
    targets = torch.cat(_targets(label, questions, weight), 1)
    joined = leave_group_out(inverse, targets, _ROWS_PER_COMBINATION)
    losses = []
    for number in range(len(questions)):
        # A class that a large task's draw happens to lack has no mean: it is not asked for.
        present, own = torch.unique(label[:, number], return_inverse=True)
        read, bias = discriminant(joined, own, weight, len(present), _SHRINKAGE_IN_TRAINING)
        losses.append(F.cross_entropy(joined @ read + bias, own))
    return torch.stack(losses).sum()


@torch.no_grad()
def solve(
    metric: LearnedMetric, data: LabelledRows, added: Transplants, questions: Sequence[Question]
) -> Solution:
    """Fit the head on all rows and their transplants, every combination weighing the same.

    The discriminant is fitted on the scores of the rows that the regression was fitted on, each
    question's on its own: left-out scores, which the metric is trained by, read worse here.
    """
    label = torch.cat((data.label, data.label[added.base]))
    weight = balanced(torch.cat((data.combination, data.combination[added.base])))
    targets = _targets(label, questions, weight)
    sizes = [target.shape[1] for target in targets]
    alike = gram(data.rows, metric.values(), added)
    with_ridge = alike.clone()
    with_ridge.diagonal().add_(metric.ridge() / weight)
    alpha = torch.cholesky_solve(torch.cat(targets, 1), torch.linalg.cholesky(with_ridge))
    coefficients, biases = [], []
    of_each = zip(
        alpha.split_with_sizes(sizes, 1), (alike @ alpha).split_with_sizes(sizes, 1), strict=True
    )
    for number, (own, scores) in enumerate(of_each):
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
