"""How alike two windows are: a kernel whose weights are learned.

Shapes: P places of sensors, T steps, F features, D = P·T·F, n and m rows.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hydrascope.models.kernel.rows import Rows
from hydrascope.models.kernel.transplant import Transplants

# Where training starts; chosen by cross-validation inside training folds.
_WIDTH, _LINEAR, _RIDGE, _EMBEDDING = 0.01, 1e-3, 0.02, 0.3
EMBEDDING_WIDTH = 0.02


class Metric(NamedTuple):
    """The parameters of a kernel, as values."""

    weight: Tensor
    """[D]; of length 1, or empty where the features are not used."""
    width: Tensor
    """[]; g of the Gaussian kernel over the features."""
    linear: Tensor
    """[]; a, the share of the linear kernel."""
    embedding: Tensor
    """[]; c, the share of the Gaussian kernel over the embedding."""


class Products(NamedTuple):
    """What a kernel is a function of: products of rows x with rows x'."""

    inner: Tensor
    """[n, m]; ⟨x, x'⟩."""
    left: Tensor
    """[n]; ‖x‖²."""
    right: Tensor
    """[m]; ‖x'‖²."""

    @classmethod
    def among(cls, inner: Tensor) -> "Products":
        """Return those of rows with themselves, given ⟨x, x'⟩ of all of them, [n, n]."""
        squares = inner.diagonal()
        return cls(inner, squares, squares)

    def distance(self) -> Tensor:
        """Return ‖x − x'‖², [n, m]."""
        squares = self.left.unsqueeze(1) + self.right
        return torch.sub(squares, self.inner, alpha=2.0).clamp(min=0.0)


def kernel(metric: Metric, features: Products | None, embedding: Products | None) -> Tensor:
    """Return how alike rows are, [n, m].

        k = exp(−g‖u − u'‖²) / 2g + a⟨u, u'⟩ + c exp(−h‖z − z'‖²) / 2h,    u = weight ⊙ features

    with z the embedding and h fixed. By 1/2g the Gaussian part has the slope of the distance
    whatever its width. It is computed in the precision of the products.

    Args:
        metric: Of the windows' features and embedding.
        features: Of u; None where the features are not used.
        embedding: Of z; None where it is not used.
    """
    parts = []
    if features is not None:
        dtype = features.inner.dtype
        width, linear = metric.width.to(dtype), metric.linear.to(dtype)
        gaussian = torch.exp(-width * features.distance()) / (2.0 * width)
        parts.append(gaussian + linear * features.inner)
    if embedding is not None:
        share = metric.embedding.to(embedding.inner.dtype)
        gaussian = torch.exp(-EMBEDDING_WIDTH * embedding.distance())
        parts.append(share * gaussian / (2.0 * EMBEDDING_WIDTH))
    return functools.reduce(torch.add, parts)


def gram(rows: Rows, metric: Metric, added: Transplants | None = None) -> Tensor:
    """Return how alike rows, with transplants of them where given, are to each other, [n, n]."""

    def among(values: Tensor, weight: Tensor | None) -> Products | None:
        if not values.shape[1]:
            return None
        scaled = values if weight is None else values * weight.square().to(values.dtype)
        inner = scaled @ values.T
        if added is not None:
            inner = added.append_to(added.append_to(inner, 0), 1)
        return Products.among(inner)

    return kernel(metric, among(rows.features, metric.weight), among(rows.embedding, None))


class LearnedMetric(nn.Module):
    """A gate for each sensor and family of features, and one for each step.

        weight[p, t, f] ∝ exp(gate[p, family of f] + step_gate[t]),   ‖weight‖ = 1

    beside width, ridge and the shares of the kernel's parts, all by their logarithms.

    Args:
        places: P.
        steps: T.
        families: Family of each feature, F numbers 0, 1, …; features of a family share a gate.
        features: Whether the kernel reads the features.
        embedding: Whether it reads the embedding.
    """

    family: Tensor

    def __init__(
        self, places: int, steps: int, families: Sequence[int], *, features: bool, embedding: bool
    ) -> None:
        super().__init__()
        self.register_buffer("family", torch.tensor(families))
        self.gate: nn.Parameter | None = None
        self.step_gate: nn.Parameter | None = None
        self.log_width: nn.Parameter | None = None
        self.log_linear: nn.Parameter | None = None
        self.log_embedding: nn.Parameter | None = None
        if features:
            self.gate = nn.Parameter(torch.zeros(places, max(families) + 1, dtype=torch.float64))
            self.step_gate = nn.Parameter(torch.zeros(steps, dtype=torch.float64))
            self.log_width = _log_parameter(_WIDTH)
            self.log_linear = _log_parameter(_LINEAR)
        if embedding:
            self.log_embedding = _log_parameter(_EMBEDDING)
        self.log_ridge = _log_parameter(_RIDGE)

    def values(self) -> Metric:
        """Return the kernel; gradients flow."""
        none = self.log_ridge.new_zeros(())
        weight, width, linear = none.new_zeros(0), none, none
        if self.gate is not None:
            assert self.step_gate is not None
            assert self.log_width is not None
            assert self.log_linear is not None
            gates = self.gate[:, self.family].unsqueeze(1)  # [P, 1, F]
            weight = torch.exp(gates + self.step_gate[:, None]).flatten()
            weight = weight / torch.linalg.vector_norm(weight)
            width, linear = self.log_width.exp(), self.log_linear.exp()
        embedding = none if self.log_embedding is None else self.log_embedding.exp()
        return Metric(weight, width, linear, embedding)

    def ridge(self) -> Tensor:
        """Return λ, []."""
        return self.log_ridge.exp()

    def penalty(self) -> Tensor:
        """Return the sum of the squared gates, []."""
        if self.gate is None or self.step_gate is None:
            return self.log_ridge.new_zeros(())
        return self.gate.square().sum() + self.step_gate.square().sum()


def _log_parameter(value: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(math.log(value), dtype=torch.float64))
