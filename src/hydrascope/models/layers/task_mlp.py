"""The control experiment for attention between tasks."""

import torch.nn.functional as F
from torch import Tensor, nn


class TaskMLP(nn.Module):
    """An MLP with as many parameters as `SelfAttention` (4 C²), but no exchange between tasks.

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
        """Apply the layer: [G, K, C] -> [G, K, C]."""
        out: Tensor = self.out(F.silu(self.hidden(self.norm(tasks))))
        return tasks + out
