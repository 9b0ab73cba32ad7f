"""Pooling of sets: sensors into components, steps into summaries, components into graphs."""

from typing import Literal

import torch
from torch import Tensor, nn

from hydrascope.models.layers.segment import (
    segment_max,
    segment_mean,
    segment_softmax,
    segment_sum,
    weigh_heads,
)


class SetPool(nn.Module):
    """Attention pooling of the rows of each segment, one learned query per head.

    Pooling by attention with one seed (J. Lee et al., "Set Transformer", ICML 2019), per head:

        w_k = softmax_k (u · x_k),   out = Σ_k w_k x_k

    In the sum, x_k is the head's own slice of the channels. There is no value projection, because
    the rows already come from a linear layer.

    Shapes: K rows, M segments, `...` any middle axes (steps), C channels.

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
        # No bias: a constant cancels in the softmax and would never get a gradient.
        self.score = nn.Linear(channels, attention_heads, bias=False)

    def forward(
        self, rows: Tensor, observed: Tensor, index: Tensor, num_segments: int
    ) -> tuple[Tensor, Tensor]:
        """Pool [K, ..., C], [K, ...] bool, [K] int64 -> [M, ..., C], observed [M, ...] bool.

        Unobserved rows have weight 0, but must be finite. A segment without observed rows is 0 and
        not observed.
        """
        weights = segment_softmax(self.score(rows), index, num_segments, observed.unsqueeze(-1))
        pooled = segment_sum(weigh_heads(rows, weights), index, num_segments)
        return pooled, segment_sum(observed.long(), index, num_segments) > 0


class StepPool(nn.Module):
    """Attention pooling over the observed steps: Σ_t softmax_t(u · x_t) x_t.

    Shapes: B sequences, T steps, C channels.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, 1, bias=False)

    def forward(self, sequence: Tensor, observed: Tensor) -> Tensor:
        """Pool [B, T, C], [B, T] bool -> [B, C]; 0 if no step is observed."""
        seen = observed.unsqueeze(-1)
        sequence = sequence.masked_fill(~seen, 0.0)
        logits: Tensor = self.score(sequence)
        weights = logits.masked_fill(~seen, torch.finfo(logits.dtype).min).softmax(dim=1)
        # If no step is observed, all have the same weight and are 0.
        return (weights * sequence).sum(dim=1)


def known_mean(values: Tensor, known: Tensor) -> Tensor:
    """Summarise partly unknown values over the steps, without parameters.

    Unknown values are never read.

    Shapes: K rows, T steps, D values.

    Args:
        values: [K, T, D].
        known: [K, T, D] bool.

    Returns:
        [K, 2 D]: the mean of the known steps (0 without any), then the share of known steps.
    """
    count = known.to(values.dtype).sum(dim=1)
    total = values.masked_fill(~known, 0.0).sum(dim=1)
    return torch.cat((total / count.clamp(min=1.0), count / values.shape[1]), dim=-1)


class MachinePool(nn.Module):
    """Pools the components of each graph into one vector.

    `mean_max` concatenates mean and maximum, because a mean dilutes one bad component. `attention`
    is `SetPool` with one head per 16 channels.

    Shapes: N components, G graphs, C channels; `out_channels` is 2 C or C.

    Args:
        channels: C.
        mode: "mean_max" or "attention".

    Raises:
        ValueError: The mode is unknown.
    """

    def __init__(self, channels: int, mode: Literal["mean_max", "attention"] = "mean_max") -> None:
        super().__init__()
        if mode not in ("mean_max", "attention"):
            raise ValueError(f"machine pooling {mode!r} is neither 'mean_max' nor 'attention'")
        self.pool = SetPool(channels, max(1, channels // 16)) if mode == "attention" else None
        self.out_channels = channels if mode == "attention" else 2 * channels

    def forward(self, x: Tensor, component_graph: Tensor, num_graphs: int) -> Tensor:
        """Pool [N, ..., C], [N] int64 -> [G, ..., out_channels]."""
        if self.pool is not None:
            everywhere = torch.ones_like(x[..., 0], dtype=torch.bool)
            pooled: Tensor = self.pool(x, everywhere, component_graph, num_graphs)[0]
            return pooled
        mean = segment_mean(x, component_graph, num_graphs)
        return torch.cat((mean, segment_max(x, component_graph, num_graphs)), dim=-1)
