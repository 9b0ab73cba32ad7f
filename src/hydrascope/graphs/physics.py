"""Physical features of a machine's lines and of the whole machine.

Shapes: W windows, S sensors, T steps, F features, E directed edges.
"""

import torch
from torch import Tensor

from hydrascope.features.config import FeatureConfig
from hydrascope.graphs.fields import WindowFields
from hydrascope.graphs.line_dynamics import EDGE_DYNAMIC_NAMES, LineDynamics
from hydrascope.graphs.quantities import CanonicalUnits
from hydrascope.graphs.roles import MachineFeatures
from hydrascope.schemas.machine import Machine


def edge_dynamic_names(config: FeatureConfig) -> tuple[str, ...]:
    """Return the names of the dynamic features of lines, empty if they are off."""
    return EDGE_DYNAMIC_NAMES if config.edge_dynamic else ()


class MachinePhysics:
    """Adds the features of lines and of the machine to those of its sensors.

    A group that is off has width 0.
    """

    def __init__(self, machine: Machine, config: FeatureConfig) -> None:
        topology = machine.topology
        self._edges = len(topology.directed_edges())
        self._lines = LineDynamics(machine) if config.edge_dynamic else None
        self._machine = MachineFeatures(topology) if config.use_hydraulic else None
        self._units = CanonicalUnits(topology)
        on = config.edge_dynamic or config.use_hydraulic
        self._mean = config.sensor_feature_names.index("mean") if on else 0

    def window_fields(self, features: Tensor, observed: Tensor, end_s: Tensor) -> WindowFields:
        """Compute the fields of windows from the features of sensors.

        Args:
            features: Features [W, S, T, F] in the sensors' units.
            observed: Mask [W, S, T].
            end_s: Unix times [W] float64 of the ends of the windows.
        """
        windows, steps = features.shape[0], features.shape[2]
        edge, edge_known = _nothing(features, windows, self._edges, steps)
        machine, machine_known = _nothing(features, windows, steps)
        values = self._units(features[..., self._mean], observed)
        if self._lines is not None:
            edge, edge_known = self._lines(values, end_s)
        if self._machine is not None:
            machine, machine_known = self._machine(values)
        return WindowFields(features, observed, edge, edge_known, machine, machine_known)


def _nothing(like: Tensor, *shape: int) -> tuple[Tensor, Tensor]:
    """Return values and mask of a group that is off."""
    values = like.new_zeros(*shape, 0)
    return values, values.to(torch.bool)
