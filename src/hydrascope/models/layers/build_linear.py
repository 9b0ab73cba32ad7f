"""A separate linear map for each build."""

import math

import torch
from torch import Tensor, nn


class BuildLinear(nn.Module):
    """Maps each row by the weights of its build, y = x W_build + b_build.

    Each row is multiplied by the weights of all builds, with zeros for all but its own. So no shape
    depends on values.

    Shapes: G graphs, B builds.

    Args:
        builds: B.
        in_features: The size of an input row.
        out_features: The size of an output row.
    """

    def __init__(self, builds: int, in_features: int, out_features: int) -> None:
        super().__init__()
        weight = torch.randn(builds, in_features, out_features) / math.sqrt(in_features)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(builds, out_features))

    def forward(self, x: Tensor, build: Tensor) -> Tensor:
        """Apply the maps: [G, in], one-hot [G, B] -> [G, out]."""
        return by_build(x, build, self.weight) + build @ self.bias


def by_build(x: Tensor, build: Tensor, weight: Tensor) -> Tensor:
    """Multiply rows by the matrices of their builds, [G, in], [G, B], [B, in, out] -> [G, out]."""
    masked = x.unsqueeze(0) * build.T.unsqueeze(-1)
    return torch.bmm(masked, weight).sum(0)
