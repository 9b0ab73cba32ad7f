"""Graph attention with edge features in the attention and in the messages."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.models.layers.segment import segment_softmax, segment_sum, weigh_heads

_NEGATIVE_SLOPE = 0.2  # of the LeakyReLU, as in the paper


class EdgeGATv2(nn.Module):
    """GATv2 with edge features that act on the messages too.

    S. Brody, U. Alon, E. Yahav, "How Attentive are Graph Attention Networks?" (ICLR 2022), per
    head, for an edge from j to i:

        α_ij = softmax_j  aᵀ LeakyReLU(W_l x_j + W_r x_i + b_r + W_e e_ij)
        out_i = W_s x_i + b + Σ_j α_ij ((1 + γ_ij) ⊙ W_l x_j + β_ij),   (γ_ij, β_ij) = W_m e_ij

    In the paper the edge features act only on α. For a component with one neighbour the softmax is
    always 1, so the line's diameter would have no effect. γ and β let the line act on the message.
    W_m starts at zero, so the initial layer is that of the paper.

    No self loops are added. A component's own state enters through W_s, outside the softmax (PyG's
    `residual=True`). It is not weighed against the neighbours, and a component without incoming
    edges gets W_s x_i + b.

    Shapes: N components, E edges, D edge channels, `...` any middle axes (such as steps).

    Args:
        in_channels: The channels of `x`.
        out_channels: The channels of the result, over all heads.
        attention_heads: The number of heads.
        edge_channels: D; 0 ignores the edge features.

    Raises:
        ValueError: `out_channels` is not a multiple of `attention_heads`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, attention_heads: int, edge_channels: int
    ) -> None:
        super().__init__()
        if out_channels % attention_heads:
            raise ValueError(f"out_channels={out_channels} is not a multiple of {attention_heads=}")
        self.attention_heads = attention_heads
        self.source = nn.Linear(in_channels, out_channels, bias=False)
        self.target = nn.Linear(in_channels, out_channels)
        self.own = nn.Linear(in_channels, out_channels)
        self.attention = nn.Parameter(torch.empty(attention_heads, out_channels // attention_heads))
        self.edge: nn.Linear | None = None
        self.edge_message: nn.Linear | None = None
        if edge_channels:
            self.edge = nn.Linear(edge_channels, out_channels, bias=False)
            self.edge_message = nn.Linear(edge_channels, 2 * out_channels, bias=False)
            nn.init.zeros_(self.edge_message.weight)
        nn.init.xavier_uniform_(self.attention)

    def forward(self, x: Tensor, edge_index: Tensor, edge_features: Tensor) -> Tensor:
        """Attend [N, ..., in_channels], [2, E] int64, [E, D] -> [N, ..., out_channels]."""
        num_components = x.shape[0]
        source, target = edge_index[0], edge_index[1]
        # An edge has the same features for all middle axes.
        edge_axes = (-1, *([1] * (x.dim() - 2)))

        message: Tensor = self.source(x).index_select(0, source)
        # In place, because these are the largest tensors.
        hidden = self.target(x).index_select(0, target).add_(message)
        if self.edge is not None:
            hidden = hidden.add_(self.edge(edge_features).view(*edge_axes, message.shape[-1]))
        # Σ over each head's channels as one matrix product with the heads' vectors a, [C, heads].
        vectors: Tensor = torch.block_diag(  # type: ignore[no-untyped-call]
            *self.attention.unsqueeze(-1)
        )
        logits = F.leaky_relu_(hidden, _NEGATIVE_SLOPE) @ vectors
        weights = segment_softmax(logits, target, num_components)

        if self.edge_message is not None:
            scale, shift = self.edge_message(edge_features).chunk(2, dim=-1)
            shape = (*edge_axes, message.shape[-1])
            message = torch.addcmul(shift.view(shape), message, 1 + scale.view(shape))
        own: Tensor = self.own(x)
        return own + segment_sum(weigh_heads(message, weights), target, num_components)
