"""One round of exchange between connected components."""

import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.models.layers.gatv2 import EdgeGATv2
from hydrascope.models.layers.norm import GraphNorm


class GATBlock(nn.Module):
    """Edge-conditioned GATv2 and a feed-forward layer, each added to a residual stream.

        x ← x + Dropout(SiLU(GraphNorm(EdgeGATv2(x))))
        x ← x + Dropout(W₂ SiLU(W₁ RMSNorm(x)))

    GraphNorm stands on the update alone. What all components share, and all of a machine of one
    component, lives on in the stream, which component and machine heads may read directly.

    Shapes: N components, E edges, D edge channels, C channels, `...` any middle axes (steps).

    Args:
        channels: C.
        attention_heads: heads of the attention.
        edge_channels: D; 0 leaves the edge features out.
        dropout: probability of dropping a channel of an update.
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
        """[N, ..., C], [2, E] int64, [E, D], [N] int64 -> [N, ..., C]."""
        heard: Tensor = self.attention(x, edge_index, edge_features)
        heard = F.silu(self.graph_norm(heard, component_graph, num_graphs))
        x = x + self.dropout(heard)
        update: Tensor = self.out(F.silu(self.hidden(self.norm(x))))
        update = self.dropout(update)
        return x + update
