"""How alike two windows are to a question: a kernel whose weights are learned.

Shapes: Q questions, P places of sensors, T steps, F features, D = P·T·F, n and m rows.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hydrascope.models.kernel.rows import Rows

# Where training starts; chosen by cross-validation inside training folds.
_WIDTH, _LINEAR, _RIDGE, _EMBEDDING = 0.01, 1e-3, 0.02, 0.3
_EMBEDDING_WIDTH = 0.02


class Metric(NamedTuple):
    """The kernel of one question, as values."""

    weight: Tensor
    """[D]; of length 1, or empty where the features are not used."""
    width: Tensor
    """[]; g of the Gaussian kernel over the features."""
    linear: Tensor
    """[]; a, the share of the linear kernel."""
    embedding: Tensor
    """[]; c, the share of the Gaussian kernel over the embedding."""


def kernel(left: Rows, right: Rows, metric: Metric) -> Tensor:
    """Return how alike rows are, [n, m].

        k = exp(−g‖u − u'‖²) / 2g + a⟨u, u'⟩ + c exp(−h‖z − z'‖²) / 2h,    u = weight ⊙ features

    with z the embedding and h fixed. By 1/2g the Gaussian part has the slope of the distance
    whatever its width. A part of width 0 is left out. It is computed in the precision of the rows.
    """
    metric = Metric(*(value.to(left.features.dtype) for value in metric))
    total = left.features.new_zeros(())
    if metric.weight.shape[0]:
        inner, distance = _products(left.features, right.features, metric.weight.square())
        gaussian = torch.exp(-metric.width * distance) / (2.0 * metric.width)
        total = total + gaussian + metric.linear * inner
    if left.embedding.shape[1]:
        _, distance = _products(left.embedding, right.embedding, None)
        gaussian = torch.exp(-_EMBEDDING_WIDTH * distance) / (2.0 * _EMBEDDING_WIDTH)
        total = total + metric.embedding * gaussian
    return total


def _products(left: Tensor, right: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return weighted inner products and squared distances, both [n, m]."""
    scaled, scaled_right = (left, right) if weight is None else (left * weight, right * weight)
    inner = scaled @ right.T
    lengths = (scaled * left).sum(1).unsqueeze(1) + (scaled_right * right).sum(1)
    return inner, (lengths - 2.0 * inner).clamp(min=0.0)


class LearnedMetric(nn.Module):
    """A gate for each question, sensor and family of features, and one for each step.

        weight[p, t, f] ∝ exp(gate[p, family of f] + step_gate[t]),   ‖weight‖ = 1

    beside width, ridge and the shares of the kernel's parts, all by their logarithms.

    Args:
        questions: Q.
        places: P.
        steps: T.
        families: Family of each feature, F numbers 0, 1, …; features of a family share a gate.
        features: Whether the kernel reads the features.
        embedding: Whether it reads the embedding.
    """

    family: Tensor

    def __init__(
        self,
        questions: int,
        places: int,
        steps: int,
        families: Sequence[int],
        *,
        features: bool,
        embedding: bool,
    ) -> None:
        super().__init__()
        self.register_buffer("family", torch.tensor(families))
        self.gate: nn.Parameter | None = None
        self.step_gate: nn.Parameter | None = None
        self.log_width: nn.Parameter | None = None
        self.log_linear: nn.Parameter | None = None
        self.log_embedding: nn.Parameter | None = None
        if features:
            gates = torch.zeros(questions, places, max(families) + 1, dtype=torch.float64)
            self.gate = nn.Parameter(gates)
            self.step_gate = nn.Parameter(torch.zeros(questions, steps, dtype=torch.float64))
            self.log_width = _log_parameter(_WIDTH, questions)
            self.log_linear = _log_parameter(_LINEAR, questions)
        if embedding:
            self.log_embedding = _log_parameter(_EMBEDDING, questions)
        self.log_ridge = _log_parameter(_RIDGE, questions)

    def of(self, question: int) -> Metric:
        """Return the kernel of one question; gradients flow."""
        none = self.log_ridge.new_zeros(())
        weight, width, linear = none.new_zeros(0), none, none
        if self.gate is not None:
            assert self.step_gate is not None
            assert self.log_width is not None
            assert self.log_linear is not None
            gates = self.gate[question][:, self.family].unsqueeze(1)  # [P, 1, F]
            weight = torch.exp(gates + self.step_gate[question][:, None]).flatten()
            weight = weight / torch.linalg.vector_norm(weight)
            width, linear = self.log_width[question].exp(), self.log_linear[question].exp()
        embedding = none if self.log_embedding is None else self.log_embedding[question].exp()
        return Metric(weight, width, linear, embedding)

    def ridge(self, question: int) -> Tensor:
        """Return λ, []."""
        return self.log_ridge[question].exp()

    def penalty(self) -> Tensor:
        """Return the sum of the squared gates, []."""
        if self.gate is None or self.step_gate is None:
            return self.log_ridge.new_zeros(())
        return self.gate.square().sum() + self.step_gate.square().sum()


def _log_parameter(value: float, questions: int) -> nn.Parameter:
    return nn.Parameter(torch.full((questions,), math.log(value), dtype=torch.float64))
