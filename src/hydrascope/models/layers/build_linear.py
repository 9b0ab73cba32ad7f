"""A linear map of its own for each build."""

import math

import torch
from torch import Tensor, nn


class BuildLinear(nn.Module):
    """Map each row by the weights of its build, y = x W_build + b_build.

    All builds are multiplied out, and all but one with zeros, so that no shape depends on values.

    Shapes: G graphs, B builds.

    Args:
        builds: B.
        in_features: Numbers of a row.
        out_features: Numbers of what it becomes.
    """

    def __init__(self, builds: int, in_features: int, out_features: int) -> None:
        super().__init__()
        weight = torch.randn(builds, in_features, out_features) / math.sqrt(in_features)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(builds, out_features))

    def forward(self, x: Tensor, build: Tensor) -> Tensor:
        """[G, in], [G, B] of zeros and a one -> [G, out]."""
        return by_build(x, build, self.weight) + build @ self.bias


def by_build(x: Tensor, build: Tensor, weight: Tensor) -> Tensor:
    """Multiply rows by the matrices of their builds, [G, in], [G, B], [B, in, out] -> [G, out]."""
    apart = x.unsqueeze(0) * build.T.unsqueeze(-1)
    return torch.bmm(apart, weight).sum(0)
