"""One round of exchange between connected components."""

import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.models.layers.gatv2 import EdgeGATv2
from hydrascope.models.layers.norm import GraphNorm


class GATBlock(nn.Module):
    """Edge-conditioned GATv2 and a feed-forward layer, both residual.

        x ← x + Dropout(SiLU(GraphNorm(EdgeGATv2(x))))
        x ← x + Dropout(W₂ SiLU(W₁ RMSNorm(x)))

    GraphNorm acts only on the update. The residual stream therefore keeps what all components
    share, and everything in a machine of one component. Heads may read it directly.

    Shapes: N components, E edges, D edge channels, C channels, `...` any middle axes (steps).

    Args:
        channels: C.
        attention_heads: The heads of the attention.
        edge_channels: D; 0 ignores the edge features.
        dropout: The probability of dropping a channel of an update.
    """

    def __init__(
        self, channels: int, attention_heads: int, edge_channels: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.attention = EdgeGATv2(channels, channels, attention_heads, edge_channels)
        self.graph_norm = GraphNorm(channels)
        self.norm = nn.RMSNorm(channels)
        self.hidden = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(2 * channels, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_features: Tensor,
        component_graph: Tensor,
        num_graphs: int,
    ) -> Tensor:
        """Apply the block: [N, ..., C], [2, E] int64, [E, D], [N] int64 -> [N, ..., C]."""
        messages: Tensor = self.attention(x, edge_index, edge_features)
        messages = F.silu(self.graph_norm(messages, component_graph, num_graphs))
        x = x + self.dropout(messages)
        update: Tensor = self.out(F.silu(self.hidden(self.norm(x))))
        update = self.dropout(update)
        return x + update
