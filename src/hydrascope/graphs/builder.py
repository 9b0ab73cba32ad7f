"""The graph builder: topology and features of one machine in, PyTorch Geometric's graph out."""

from collections.abc import Sequence
from datetime import datetime

import torch
from torch import Tensor

from hydrascope.features.config import FeatureConfig
from hydrascope.graphs.fields import SensorReference
from hydrascope.graphs.graph import HydraulicGraph, to_graph
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout
from hydrascope.graphs.physics import MachinePhysics
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.task import HeadSpec


class GraphBuilder:
    """Builds the graph of each window of one machine.

    Components are nodes, their sensors a set with masks (`sensor_component` says whose), lines are
    edges in both directions where they are bidirectional. `graphs.fields` has every field.

    Args:
        machine: Topology, and the dates that ages count from.
        config: The features that come in; whether line dynamics and machine features are computed.
        spec: The vocabulary of the network that will read the graphs.
        heads: The task's heads, in the order of `spec.component_heads`; none: no targets to mask.
        reference: Of the machine's own reference windows; None where there are none.

    Raises:
        SpecError: A kind or a sensor of the machine is not in the vocabulary.
    """

    def __init__(
        self,
        machine: Machine,
        config: FeatureConfig,
        spec: InputSpec,
        heads: Sequence[HeadSpec] = (),
        reference: SensorReference | None = None,
    ) -> None:
        self.layout = GraphLayout.of(machine.topology, spec, heads)
        self._reference = reference
        self._physics = MachinePhysics(machine, config)
        self._num_features = config.sensor_feature_count

    def build(self, features: Tensor, observed: Tensor, end: datetime) -> HydraulicGraph:
        """Build the graph of one window.

        Args:
            features: [S, T, F] of the engineer, in the sensors' units; sensors in the topology's
                order.
            observed: [S, T] bool, of the engineer.
            end: End of the window, with time zone.

        Raises:
            ValueError: A shape does not fit the machine, or `end` has no time zone.

        """
        sensors = self.layout.num_sensors
        if features.dim() != 3 or features.shape[::2] != (sensors, self._num_features):
            raise ValueError(
                f"features are {list(features.shape)}; this machine and these features need "
                f"[{sensors}, steps, {self._num_features}]"
            )
        if observed.shape != features.shape[:2]:
            raise ValueError(
                f"observed is {list(observed.shape)}; it needs {list(features.shape[:2])}, the "
                "sensors and steps of features"
            )
        if end.tzinfo is None:
            raise ValueError(f"end={end.isoformat()} has no time zone")
        end_s = torch.tensor([end.timestamp()], dtype=torch.float64)
        windows = self._physics.window_fields(features.unsqueeze(0), observed.unsqueeze(0), end_s)
        return to_graph(self.layout.batch(windows, self._reference))
