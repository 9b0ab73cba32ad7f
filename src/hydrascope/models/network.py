"""The network: sensors → components → steps → lines → machine → heads."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import NUM_EDGE_FEATURES, GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import Network, NetworkOutput
from hydrascope.models.blocks.sensor_encoder import SensorSetEncoder
from hydrascope.models.blocks.spatial import GATBlock
from hydrascope.models.blocks.task_heads import TaskHeads
from hydrascope.models.blocks.temporal import ARMALSTM
from hydrascope.models.config import NetworkConfig
from hydrascope.models.layers.pooling import GraphReadout, known_mean
from hydrascope.schemas.task import HeadSpec


class UniversalTemporalGNN(Network):
    """Multi-task spatio-temporal graph network over machines of any build.

    1. `SensorSetEncoder`: each component pools the embeddings of its sensors, step by step.
    2. `ARMALSTM`: LSTM and ARMA attention over the steps of each component, weights shared. Time
       comes before space: as expressive as both at every step (J. Gao, B. Ribeiro, "On the
       Equivalence Between Temporal and Static Equivariant Graph Representations", ICML 2022),
       and the graph part costs T times less.
    3. `GATBlock`s: components hear each other along the lines, as the lines' static features and
       the mean and presence of their dynamic ones let them.
    4. `GraphReadout`: mean and maximum over components, of what they heard and of what they were
       before (GraphNorm erases what is common to all), make the machine's embedding, together with
       the mean and presence of the machine's own features.
    5. `TaskHeads`: heads exchange through attention; component heads know the machine too.

    Args:
        config: Sizes and switches.
        spec: Vocabularies and counts of the inputs.
        heads: The heads of the task; without any, only steps 1 and 2 exist.
    """

    Config = NetworkConfig

    def __init__(self, config: NetworkConfig, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__(config, spec, heads)
        channels, attention_heads = config.hidden_channels, config.attention_heads
        self.encoder = SensorSetEncoder(
            num_features=len(spec.feature_names),
            channels=channels,
            num_sensor_kinds=len(spec.sensor_kinds),
            num_component_kinds=len(spec.component_kinds),
            heads=attention_heads,
            num_slots=len(spec.sensor_slots) if config.sensor_identity else 0,
        )
        self.temporal = ARMALSTM(channels, channels, attention_heads, config.arma)
        self.state_channels = channels
        self.heads: TaskHeads | None = None
        if not heads:  # normality alone reads the states, and no more
            self.temporal.pool.requires_grad_(False)
            return
        self.component = nn.Linear(self.temporal.summary_channels + channels, channels)
        edge_channels = NUM_EDGE_FEATURES + 2 * len(spec.edge_dynamic_names)
        self.spatial = nn.ModuleList(
            GATBlock(channels, attention_heads, edge_channels, config.dropout)
            for _ in range(config.spatial_layers)
        )
        self.readout = GraphReadout(channels)
        machine_channels = 2 * self.readout.out_channels + 2 * len(spec.machine_feature_names)
        self.machine = nn.Linear(machine_channels, channels)
        self.component_context = nn.Linear(3 * channels, channels)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = TaskHeads(heads, channels, attention_heads, config.dropout)

    def forward(self, inputs: GraphInputs) -> NetworkOutput:
        """Answer a batch whose features are normalised."""
        graph, graphs = inputs.component_graph, inputs.graph_id.shape[0]
        encoding = self.encoder(
            inputs.sensor_features,
            inputs.sensor_observed,
            inputs.sensor_slot,
            inputs.sensor_kind,
            inputs.sensor_component,
            inputs.component_kind,
        )
        steps = self.temporal(encoding.sequence, encoding.observed)
        if self.heads is None:
            return NetworkOutput({}, steps.arma, steps.sequence)
        before: Tensor = self.component(torch.cat((steps.summary, encoding.component), dim=-1))
        after = self.dropout(before)
        dynamic = known_mean(inputs.edge_dynamic, inputs.edge_dynamic_mask)
        lines = torch.cat((inputs.edge_features, dynamic), dim=-1)
        for block in self.spatial:
            after = block(after, inputs.edge_index, lines, graph, graphs)
        readouts = [self.readout(x, graph, graphs) for x in (before, after)]
        own = known_mean(inputs.machine_features, inputs.machine_features_mask)
        machines: Tensor = self.dropout(F.silu(self.machine(torch.cat((*readouts, own), dim=-1))))
        context = torch.cat((before, after, machines.index_select(0, graph)), dim=-1)
        components: Tensor = self.dropout(F.silu(self.component_context(context)))
        heads = self.heads(components, machines, graph, inputs.component_heads)
        return NetworkOutput(heads, steps.arma, steps.sequence)
