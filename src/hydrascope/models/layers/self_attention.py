"""Attention between the tokens of one graph."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Residual self-attention over tokens.

    A. Vaswani et al., "Attention Is All You Need" (2017), pre-norm:

        y = x + W_o softmax(q kᵀ / √d) v,   q, k, v = W RMSNorm(x)

    Shapes: G graphs, K tokens, C channels.

    Args:
        channels: C.
        attention_heads: The number of heads.

    Raises:
        ValueError: `channels` is not a multiple of `attention_heads`.
    """

    def __init__(self, channels: int, attention_heads: int) -> None:
        super().__init__()
        if channels % attention_heads:
            raise ValueError(f"channels={channels} is not a multiple of {attention_heads=}")
        self.attention_heads = attention_heads
        self.norm = nn.RMSNorm(channels)
        self.project = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels, bias=False)

    def forward(self, tokens: Tensor, known: Tensor | None = None) -> Tensor:
        """Attend [G, K, C], [G, K] bool -> [G, K, C]; unknown tokens are not attended to."""
        return tokens + self.update(tokens, known)

    def update(self, tokens: Tensor, known: Tensor | None = None) -> Tensor:
        """Return the update of the tokens; each graph needs at least one known token."""
        projected: Tensor = self.project(self.norm(tokens))
        split = torch.unflatten(projected, -1, (3, self.attention_heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        mask = None if known is None else known[:, None, None, :]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(-2))
        return out
