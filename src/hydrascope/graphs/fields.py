"""Every field of a graph batch: name, shape, unit and meaning.

Shape letters: G graphs (one window of one machine each), N components, S sensors, E directed
edges, T steps, F features of a sensor, D dynamic features of a line (6 or none), M features of the
machine (4 or none), V nominal values, H component-level heads. All graphs of a batch are laid end
to end, as PyTorch Geometric does it; `component_graph` says which component belongs to which graph.
"""

from typing import NamedTuple

import torch
from torch import Tensor

NUM_EDGE_FEATURES = 8


class WindowFields(NamedTuple):
    """What of a graph differs from window to window; W windows of one machine stacked."""

    sensor_features: Tensor
    """[W, S, T, F]"""
    sensor_observed: Tensor
    """[W, S, T]"""
    edge_dynamic: Tensor
    """[W, E, T, D]"""
    edge_dynamic_mask: Tensor
    """[W, E, T, D]"""
    machine_features: Tensor
    """[W, T, M]"""
    machine_features_mask: Tensor
    """[W, T, M]"""

    def rows(self, chosen: Tensor) -> "WindowFields":
        """Return some of the windows, in the order of `chosen` [B] int64."""
        return WindowFields(*(field[chosen] for field in self))


class SensorReference(NamedTuple):
    """What one machine's sensors said when it was known to be sound; fields as in `GraphInputs`."""

    sensor_reference: Tensor
    """[S, T, F]"""
    sensor_reference_mask: Tensor
    """[S, T]"""

    @classmethod
    def unknown(cls, sensors: int, steps: int, features: int) -> "SensorReference":
        """Return that of a machine of which nobody knows."""
        mask = torch.zeros(sensors, steps, dtype=torch.bool)
        return cls(torch.zeros(sensors, steps, features), mask)


class GraphInputs(NamedTuple):
    """What the network reads: a tuple of tensors, which batches, moves and exports as one."""

    sensor_features: Tensor
    """[S, T, F] float; features of each sub-window in the sensor's own units (not normalised)."""
    sensor_observed: Tensor
    """[S, T] bool; False where the sub-window holds too few valid samples."""
    sensor_reference: Tensor
    """[S, T, F] float; mean of the same features over the machine's own reference windows, 0 where
    unknown; the same at every step unless normalisation is per step."""
    sensor_reference_mask: Tensor
    """[S, T] bool; False where the machine has no reference windows, or the sensor was not observed
    in any of them."""
    sensor_slot: Tensor
    """[S] int64; row of the vocabulary's slots: of weights and statistics of single sensors. One
    behind the last where the build is unknown; a model of any build does not read it."""
    sensor_kind: Tensor
    """[S] int64; row of the vocabulary's sensor kinds."""
    sensor_role: Tensor
    """[S] int64; row of the vocabulary's roles, `graphs.sensor_roles`; one behind the last where
    no sensor of the training plays the sensor's."""
    sensor_span: Tensor
    """[S] float; of the sensor's range, in its own unit; 1 where it has none."""
    sensor_component: Tensor
    """[S] int64; the component that carries the sensor."""
    sensor_place: Tensor
    """[S] int64; place of the sensor among the components and sensors of its graph, 0 … P-1."""
    component_kind: Tensor
    """[N] int64; row of the vocabulary's component kinds."""
    component_graph: Tensor
    """[N] int64, ascending; the graph that the component belongs to."""
    component_place: Tensor
    """[N] int64; place of the component likewise, before all sensors."""
    component_heads: Tensor
    """[N, H] bool; which component-level heads apply to the component."""
    component_nominal: Tensor
    """[N, V] float; sgn(x) · ln(1 + |x|) of the component's nominal values, in the units that their
    names say; 0 where the machine file gives none."""
    component_nominal_mask: Tensor
    """[N, V] bool; True where the machine file gives one."""
    edge_index: Tensor
    """[2, E] int64; source and target component of each directed edge."""
    edge_features: Tensor
    """[E, 8] float, dimensionless; the static edge features of `graphs.edges`."""
    edge_dynamic: Tensor
    """[E, T, D] float, dimensionless; of `graphs.line_dynamics`, 0 where unknown."""
    edge_dynamic_mask: Tensor
    """[E, T, D] bool; True where known."""
    machine_features: Tensor
    """[G, T, M] float; of `features.hydraulic`, in their own units, 0 where unknown."""
    machine_features_mask: Tensor
    """[G, T, M] bool; True where known."""
    graph_id: Tensor
    """[G] int64, 0 … G-1; carries the number of graphs into an exported program."""
    place_id: Tensor
    """[P] int64, 0 … P-1, with P the most components and sensors that a graph of the batch has
    together; likewise."""

    def to(self, device: torch.device) -> "GraphInputs":
        """Return the batch on `device`."""
        return GraphInputs(*(tensor.to(device, non_blocking=True) for tensor in self))
