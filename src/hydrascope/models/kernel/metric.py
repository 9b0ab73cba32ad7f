"""The similarity of windows: a kernel with learned weights.

Shapes: P places of sensors, T steps, F features, D = P·T·F, n and m rows.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hydrascope.models.kernel.transplant import Transplants

# Initial values, chosen by cross-validation inside training folds.
_WIDTH, _LINEAR, _RIDGE = 0.01, 1e-3, 0.02


class Metric(NamedTuple):
    """The values of a kernel's parameters."""

    weight: Tensor
    """The weight of each feature, [D]; of length 1."""
    width: Tensor
    """The parameter g of the Gaussian kernel, []."""
    linear: Tensor
    """The share a of the linear kernel, []."""


class Products(NamedTuple):
    """The products of rows x with rows x' that a kernel depends on."""

    inner: Tensor
    """The inner products ⟨x, x'⟩, [n, m]."""
    left: Tensor
    """The squared lengths ‖x‖², [n]."""
    right: Tensor
    """The squared lengths ‖x'‖², [m]."""

    @classmethod
    def among(cls, inner: Tensor) -> "Products":
        """Return the products of rows with themselves, from all inner products [n, n]."""
        squares = inner.diagonal()
        return cls(inner, squares, squares)

    def distance(self) -> Tensor:
        """Return the squared distances ‖x − x'‖², [n, m]."""
        squares = self.left.unsqueeze(1) + self.right
        return torch.sub(squares, self.inner, alpha=2.0).clamp(min=0.0)


def kernel(metric: Metric, products: Products) -> Tensor:
    """Return the kernel between rows, [n, m].

        k = exp(−g‖u − u'‖²) / 2g + a⟨u, u'⟩,    u = weight ⊙ features

    The factor 1/2g makes the slope of the Gaussian part independent of its width. The result has
    the precision of the products.

    Args:
        metric: The parameters.
        products: The products of u.
    """
    dtype = products.inner.dtype
    width, linear = metric.width.to(dtype), metric.linear.to(dtype)
    gaussian = torch.exp(-width * products.distance()) / (2.0 * width)
    return gaussian + linear * products.inner


def gram(rows: Tensor, metric: Metric, added: Transplants | None = None) -> Tensor:
    """Return the kernel matrix [n, n] of rows [n, D], with their transplants if given."""
    inner = (rows * metric.weight.square().to(rows.dtype)) @ rows.T
    if added is not None:
        inner = added.append_to(added.append_to(inner, 0), 1)
    return kernel(metric, Products.among(inner))


class LearnedMetric(nn.Module):
    """A kernel with a gate for each sensor and family of features, and one for each step.

        weight[p, t, f] ∝ exp(gate[p, family of f] + step_gate[t]),   ‖weight‖ = 1

    Width, ridge and the share of the linear kernel are learned too, as logarithms.

    Args:
        places: P.
        steps: T.
        families: The family of each feature, F numbers 0, 1, …; a family shares a gate.
    """

    family: Tensor

    def __init__(self, places: int, steps: int, families: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("family", torch.tensor(families))
        self.gate = nn.Parameter(torch.zeros(places, max(families) + 1, dtype=torch.float64))
        self.step_gate = nn.Parameter(torch.zeros(steps, dtype=torch.float64))
        self.log_width = _log_parameter(_WIDTH)
        self.log_linear = _log_parameter(_LINEAR)
        self.log_ridge = _log_parameter(_RIDGE)

    def values(self) -> Metric:
        """Return the kernel's parameters; gradients flow through them."""
        gates = self.gate[:, self.family].unsqueeze(1)  # [P, 1, F]
        weight = torch.exp(gates + self.step_gate[:, None]).flatten()
        weight = weight / torch.linalg.vector_norm(weight)
        return Metric(weight, self.log_width.exp(), self.log_linear.exp())

    def ridge(self) -> Tensor:
        """Return the ridge λ, []."""
        return self.log_ridge.exp()

    def penalty(self) -> Tensor:
        """Return the sum of the squared gates, []."""
        return self.gate.square().sum() + self.step_gate.square().sum()


def _log_parameter(value: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(math.log(value), dtype=torch.float64))
