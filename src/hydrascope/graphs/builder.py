"""The graph builder: from a window of telemetry to a PyTorch Geometric graph."""

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
from hydrascope.schemas import EquipmentMetadata, GraphTopology, Machine
from hydrascope.schemas.arguments import checked
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.task import HeadLevel, HeadSpec
from hydrascope.schemas.time import TimeWindow
from hydrascope.telemetry.folder.settings import ReadingSettings
from hydrascope.telemetry.frame import FrameSource


class GraphBuilder:
    """Builds the graph of a window of any machine, as in `HydraulicGraphDataset`.

    Components are nodes, each with a set of sensors (`sensor_component`) and masks. Lines are
    edges, in both directions if they are bidirectional. `graphs.fields` describes every field.

    Args:
        engineer: Extracts the features of a sub-window.
        window: Length of a window and number of its sub-windows.
        heads: Heads of the task, if any.
        spec: Vocabulary of the network that reads the graphs; None: that of each topology.
        reading: Keys of `ReadingSettings`, such as `time_zone` and `quality_accepted`.
    """

    @checked
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

    @checked
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
            sensor_data: Telemetry of the machine: one row per sample (`timestamp` or `time`,
                `sensor_id`, `value`), or one row per instant with one column per sensor.
            topology: Topology of the machine.
            metadata: Name plate of the machine, with the dates for ages.
            start: Start of the window, with time zone; None: that of the first sufficiently long
                stretch of good samples.
            reference: Reference of the machine's sensors, if any.

        Raises:
            SpecError: A column, sensor or kind is unknown, or no stretch contains a whole window.
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
    machines: Iterable[str] = (),
) -> InputSpec:
    """Return the vocabulary of the graphs of some machines with these features and heads.

    `machines` are those with thresholds of their own.
    """
    return InputSpec.of(
        topologies,
        config.sensor_feature_names,
        window.steps,
        (head.name for head in heads if head.level is HeadLevel.COMPONENT),
        edge_dynamic_names=edge_dynamic_names(config),
        machine_feature_names=config.hydraulic_names,
        machines=machines,
    )
