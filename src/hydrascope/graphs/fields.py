"""Every field of a graph batch: name, shape, unit and meaning.

Shape letters: G graphs (one window of one machine each), N components, S sensors, E directed
edges, T steps, F features, H component-level heads. All graphs of a batch are laid end to end,
as PyTorch Geometric does it; `component_graph` says which component belongs to which graph.
"""

from typing import NamedTuple

import torch
from torch import Tensor

NUM_EDGE_FEATURES = 8


class GraphInputs(NamedTuple):
    """What the network reads: a tuple of tensors, which batches, moves and exports as one."""

    sensor_features: Tensor
    """[S, T, F] float; features of each sub-window in the sensor's own units (not normalised)."""
    sensor_observed: Tensor
    """[S, T] bool; False where the sub-window holds too few valid samples."""
    sensor_slot: Tensor
    """[S] int64; row of the (topology, sensor) table that normalisation statistics are kept in."""
    sensor_kind: Tensor
    """[S] int64; row of the vocabulary's sensor kinds."""
    sensor_component: Tensor
    """[S] int64; the component that carries the sensor."""
    component_kind: Tensor
    """[N] int64; row of the vocabulary's component kinds."""
    component_graph: Tensor
    """[N] int64, ascending; the graph that the component belongs to."""
    component_heads: Tensor
    """[N, H] bool; which component-level heads apply to the component."""
    edge_index: Tensor
    """[2, E] int64; source and target component of each directed edge."""
    edge_features: Tensor
    """[E, 8] float, dimensionless; the static edge features of `graphs.edges`."""
    graph_id: Tensor
    """[G] int64, 0 … G-1; carries the number of graphs into an exported program."""

    def to(self, device: torch.device) -> "GraphInputs":
        """Return the batch on `device`."""
        return GraphInputs(*(tensor.to(device, non_blocking=True) for tensor in self))
