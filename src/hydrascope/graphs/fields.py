"""Every field of a graph batch: name, shape, unit and meaning.

Shape letters: G graphs (one window of one machine each), N components, S sensors, E directed
edges, T steps, F features of a sensor, D dynamic features of a line (6 or none), M features of the
machine (4 or none), V nominal values, H component-level heads. The graphs of a batch are
concatenated as in PyTorch Geometric; `component_graph` maps components to graphs.
"""

from typing import NamedTuple

import torch
from torch import Tensor

NUM_EDGE_FEATURES = 8


class WindowFields(NamedTuple):
    """The fields that differ between windows, stacked for W windows of one machine."""

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
        """Return the windows `chosen` [B] int64, in this order."""
        return WindowFields(*(field[chosen] for field in self))


class SensorReference(NamedTuple):
    """The reference of one machine's sensors, when it was healthy; fields as in `GraphInputs`."""

    sensor_reference: Tensor
    """[S, T, F]"""
    sensor_reference_mask: Tensor
    """[S, T]"""

    @classmethod
    def unknown(cls, sensors: int, steps: int, features: int) -> "SensorReference":
        """Return the reference of a machine without reference windows."""
        mask = torch.zeros(sensors, steps, dtype=torch.bool)
        return cls(torch.zeros(sensors, steps, features), mask)


class GraphInputs(NamedTuple):
    """The input of a network: a tuple of tensors, which is batched, moved and exported as one."""

    sensor_features: Tensor
    """[S, T, F] float; features of each sub-window in the sensor's own units (not normalised)."""
    sensor_observed: Tensor
    """[S, T] bool; False where the sub-window has too few valid samples."""
    sensor_reference: Tensor
    """[S, T, F] float; mean of the same features over the machine's own reference windows, 0 where
    unknown; the same at every step unless normalisation is per step."""
    sensor_reference_mask: Tensor
    """[S, T] bool; False where the machine has no reference windows, or the sensor was not observed
    in any of them."""
    sensor_slot: Tensor
    """[S] int64; row of the vocabulary's slots, for weights and statistics of single sensors. One
    past the end if the build is unknown; models for any build do not read it."""
    sensor_kind: Tensor
    """[S] int64; row of the vocabulary's sensor kinds."""
    sensor_role: Tensor
    """[S] int64; row of the vocabulary's roles (`graphs.sensor_roles`); one past the end if no
    sensor in training has the role."""
    sensor_span: Tensor
    """[S] float; width of the sensor's range in its own unit; 1 if it has none."""
    sensor_component: Tensor
    """[S] int64; the sensor's component."""
    sensor_place: Tensor
    """[S] int64; place of the sensor among the components and sensors of its graph, 0 … P-1."""
    component_kind: Tensor
    """[N] int64; row of the vocabulary's component kinds."""
    component_graph: Tensor
    """[N] int64, ascending; the graph that the component belongs to."""
    component_place: Tensor
    """[N] int64; place of the component in the same order, before all sensors."""
    component_heads: Tensor
    """[N, H] bool; which component-level heads apply to the component."""
    component_nominal: Tensor
    """[N, V] float; sgn(x) · ln(1 + |x|) of the component's nominal values x, in the units of their
    names; 0 if not given."""
    component_nominal_mask: Tensor
    """[N, V] bool; True where given."""
    edge_index: Tensor
    """[2, E] int64; source and target component of each directed edge."""
    edge_features: Tensor
    """[E, 8] float, dimensionless; the static edge features of `graphs.edges`, 0 where unknown."""
    edge_features_mask: Tensor
    """[E, 8] bool; False where a line without sizes (a `link`) leaves a feature unknown."""
    edge_dynamic: Tensor
    """[E, T, D] float, dimensionless; features of `graphs.line_dynamics`, 0 where unknown."""
    edge_dynamic_mask: Tensor
    """[E, T, D] bool; True where known."""
    machine_features: Tensor
    """[G, T, M] float; `features.hydraulic` in their own units, 0 where unknown."""
    machine_features_mask: Tensor
    """[G, T, M] bool; True where known."""
    machine_number: Tensor
    """[G] int64; row of the vocabulary's machines, which have thresholds of their own; one past the
    end if the machine is not among them."""
    graph_id: Tensor
    """[G] int64, 0 … G-1; carries the number of graphs into an exported program."""
    place_id: Tensor
    """[P] int64, 0 … P-1, where P is the largest total of components and sensors in a graph;
    carries P into an exported program."""

    def to(self, device: torch.device) -> "GraphInputs":
        """Return the batch on `device`."""
        return GraphInputs(*(tensor.to(device, non_blocking=True) for tensor in self))
