"""Normalisation over the components of each graph."""

import torch
from torch import Tensor, nn

from hydrascope.models.layers.segment import segment_mean


class GraphNorm(nn.Module):
    """Normalises each channel over the components of one graph.

    T. Cai et al., "GraphNorm: A Principled Approach to Accelerating Graph Neural Network
    Training" (ICML 2021). Per graph and channel, with μ the mean over the graph's components:

        out = w (x − a μ) / sqrt(mean((x − a μ)²) + ε) + b

    with learned w, a, b. At a = 1 it erases what all components share, and a graph of one component
    becomes b. Use it on an update that is added to a residual stream, never on the stream that
    machine heads read.

    Shapes: N components, C channels; middle axes (steps) are normalised separately.

    Args:
        channels: C.
        eps: ε.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.mean_scale = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor, component_graph: Tensor, num_graphs: int) -> Tensor:
        """Normalise [N, ..., C], [N] int64 -> [N, ..., C]."""
        mean = segment_mean(x, component_graph, num_graphs)
        centred = x - (mean * self.mean_scale).index_select(0, component_graph)
        variance = segment_mean(centred.square(), component_graph, num_graphs)
        slope = self.weight * (variance + self.eps).rsqrt()
        return torch.addcmul(self.bias, centred, slope.index_select(0, component_graph))
