"""What every layer's tests share: a small batch of graphs, and the checks that all must pass."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Graphs(NamedTuple):
    edge_index: Tensor
    edge_features: Tensor
    component_graph: Tensor

    @property
    def num_components(self) -> int:
        return len(self.component_graph)

    @property
    def num_graphs(self) -> int:
        return int(self.component_graph.max()) + 1


def random_graphs(sizes: Sequence[int], seed: int = 0) -> Graphs:
    """Rings with chords; every component hears at least two others where there are three."""
    generator = torch.Generator().manual_seed(seed)
    edges, start = [torch.empty(2, 0, dtype=torch.long)], 0
    for size in sizes:
        nodes = torch.arange(size)
        steps = (1, 2)[: max(0, size - 1)]
        edges += [torch.stack((nodes, (nodes + step) % size)) + start for step in steps]
        start += size
    edge_index = torch.cat(edges, dim=1)
    features = torch.rand(edge_index.shape[1], 8, generator=generator)
    graph = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    return Graphs(edge_index, features, graph)


def permuted(graphs: Graphs, order: Tensor) -> Graphs:
    """Renumber components so that new row k is old row order[k]; edges are reordered too."""
    rank = torch.argsort(order)
    edge_order = torch.randperm(graphs.edge_index.shape[1])
    return Graphs(
        rank[graphs.edge_index][:, edge_order],
        graphs.edge_features[edge_order],
        graphs.component_graph[order],
    )


def randomised(module: nn.Module) -> nn.Module:
    """Replace every parameter, also those that start at 0 or 1, by random numbers."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


def assert_every_parameter_learns(module: nn.Module, *outputs: Tensor) -> None:
    """A random weighting of the outputs gives each parameter a finite, non-zero gradient."""
    sum((output * torch.randn_like(output)).sum() for output in outputs).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def exported(
    module: nn.Module, args: tuple[Any, ...], dynamic_shapes: tuple[Any, ...]
) -> nn.Module:
    """The module as torch.export's program, with the given axes dynamic."""
    return torch.export.export(module, args, dynamic_shapes=dynamic_shapes, strict=False).module()


def assert_close(actual: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)
