"""The graph builder: one window of a machine's telemetry in, PyTorch Geometric's graph out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import torch

from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.graphs.fields import SensorReference
from hydrascope.graphs.graph import HydraulicGraph, to_graph
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout
from hydrascope.graphs.physics import edge_dynamic_names
from hydrascope.graphs.window_computer import WindowComputer
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.machine import EquipmentMetadata, GraphTopology, Machine
from hydrascope.schemas.task import HeadLevel, HeadSpec
from hydrascope.schemas.time import TimeWindow
from hydrascope.telemetry.folder.settings import ReadingSettings
from hydrascope.telemetry.frame import FrameSource


class GraphBuilder:
    """Builds the graph of a window of any machine, as `HydraulicGraphDataset` holds it.

    Components are nodes, their sensors a set with masks (`sensor_component` says whose), lines are
    edges in both directions where they are bidirectional. `graphs.fields` has every field.

    Args:
        engineer: The features of a sub-window.
        window: How long a window is, and in how many sub-windows it is cut.
        heads: The task's heads; none: no targets to mask.
        spec: The vocabulary of the network that will read the graphs; None: that of each topology.
        reading: Keys of `ReadingSettings`, such as `time_zone` and `quality_accepted`.
    """

    def __init__(
        self,
        engineer: FeatureEngineer,
        window: WindowSpec,
        heads: Sequence[HeadSpec] = (),
        spec: InputSpec | None = None,
        reading: Mapping[str, object] | None = None,
    ) -> None:
        self.engineer, self.window, self.heads, self.spec = engineer, window, tuple(heads), spec
        self._reading = validate(ReadingSettings, dict(reading or {}), source="reading")

    def build_graph(
        self,
        sensor_data: pd.DataFrame,
        topology: GraphTopology,
        metadata: EquipmentMetadata,
        *,
        start: datetime | None = None,
        reference: SensorReference | None = None,
    ) -> HydraulicGraph:
        """Build the graph of one window.

        Args:
            sensor_data: Telemetry of this machine: a row a sample (`timestamp` or `time`,
                `sensor_id`, `value`) or a row an instant and a column a sensor.
            topology: How the machine is built.
            metadata: Which machine it is, and the dates that ages count from.
            start: Of the window, with time zone; None: that of the first stretch of good samples
                that is long enough.
            reference: Of the machine's own reference windows; None where there are none.

        Raises:
            SpecError: A column, a sensor or a kind is unknown, or no stretch holds a whole window.
        """
        machine = Machine(equipment=metadata, topology=topology)
        name = metadata.equipment_id
        source = FrameSource(sensor_data.assign(equipment_id=name), {name: machine}, self._reading)
        window = self._window(source.extents(name), start)
        computer = WindowComputer(machine, self.engineer, self.window)
        with torch.no_grad():
            numbers = computer.features(source.read(name, window), np.zeros(1))
            fields = computer.window_fields(
                *numbers, torch.tensor([window.end.timestamp()], dtype=torch.float64)
            )
        spec = self.spec or input_spec([topology], self.engineer.config, self.window, self.heads)
        layout = GraphLayout.of(topology, spec, self.heads)
        return to_graph(layout.batch(fields, reference))

    def _window(self, extents: Sequence[TimeWindow], start: datetime | None) -> TimeWindow:
        length = timedelta(seconds=self.window.window_s)
        for extent in extents:
            begin = start or extent.start
            if extent.start <= begin and begin + length <= extent.end:
                return TimeWindow(start=begin, end=begin + length)
        raise SpecError(
            f"sensor_data: no stretch of good samples holds a window of {self.window.window_s:g} s"
            + (f" from {start.isoformat()} on" if start else "")
            + f"; there is: {', '.join(map(str, extents[:3])) or 'none'}"
        )


def input_spec(
    topologies: Iterable[GraphTopology],
    config: FeatureConfig,
    window: WindowSpec,
    heads: Iterable[HeadSpec],
) -> InputSpec:
    """Return the vocabulary of all graphs of some machines, of these features and heads."""
    return InputSpec.of(
        topologies,
        config.sensor_feature_names,
        window.steps,
        (head.name for head in heads if head.level is HeadLevel.COMPONENT),
        edge_dynamic_names=edge_dynamic_names(config),
        machine_feature_names=config.hydraulic_names,
    )
