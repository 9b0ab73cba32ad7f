"""Exchange between the tasks of one graph."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CrossTaskAttention(nn.Module):
    """Self-attention over the tasks' embeddings, with residual.

    A. Vaswani et al., "Attention Is All You Need" (2017), pre-norm:

        y = x + W_o softmax(q kᵀ / √d) v,   q, k, v = W RMSNorm(x)

    Shapes: G graphs, K tasks, C channels.

    Args:
        channels: C.
        heads: number of heads.

    Raises:
        ValueError: `channels` is not a multiple of `heads`.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"channels={channels} is not a multiple of heads={heads}")
        self.heads = heads
        self.norm = nn.RMSNorm(channels)
        self.project = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels, bias=False)

    def forward(self, tasks: Tensor) -> Tensor:
        """[G, K, C] -> [G, K, C]."""
        projected: Tensor = self.project(self.norm(tasks))
        split = torch.unflatten(projected, -1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(-2))
        return tasks + out


class TaskMLP(nn.Module):
    """The control for `CrossTaskAttention`: as many parameters (4 C²), no exchange between tasks.

    Shapes: G graphs, K tasks, C channels.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(channels)
        self.hidden = nn.Linear(channels, 2 * channels, bias=False)
        self.out = nn.Linear(2 * channels, channels, bias=False)

    def forward(self, tasks: Tensor) -> Tensor:
        """[G, K, C] -> [G, K, C]."""
        out: Tensor = self.out(F.silu(self.hidden(self.norm(tasks))))
        return tasks + out
