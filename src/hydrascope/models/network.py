"""The network: sensors → components → steps → tokens → lines → machine → heads."""

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import NUM_EDGE_FEATURES, GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import GroupedInputs, ModelOutput, Network
from hydrascope.models.blocks.row_reader import make_row_reader
from hydrascope.models.blocks.sensor_encoder import SensorEncoding, SensorSetEncoder
from hydrascope.models.blocks.sensor_inputs import SensorInputs
from hydrascope.models.blocks.sensor_tokens import WindowEncoder
from hydrascope.models.blocks.spatial import GATBlock
from hydrascope.models.blocks.task_heads import TaskHeads
from hydrascope.models.blocks.temporal import TemporalBlock, TemporalOutput, make_states
from hydrascope.models.blocks.token_attention import MachineAttention
from hydrascope.models.config import NetworkConfig
from hydrascope.models.layers.pooling import MachinePool, known_mean
from hydrascope.models.layers.segment import segment_sum
from hydrascope.schemas.arguments import checked
from hydrascope.schemas.task import HeadSpec


class UniversalTemporalGNN(Network):
    """Multi-task spatio-temporal graph network over machines of any build.

    1. `SensorInputs` whitens the features sensor by sensor. With references it adds the difference
       from the machine's own healthy state.
    2. `SensorSetEncoder` pools the embeddings of each component's sensors, step by step.
    3. `TemporalBlock` runs an LSTM and ARMA attention over the steps of each component, with shared
       weights. Time comes before space. This is as expressive as both at every step (J. Gao, B.
       Ribeiro, "On the Equivalence Between Temporal and Static Equivariant Graph Representations",
       ICML 2022), and the graph part costs T times less. `order` reverses this, for comparison.
    4. `WindowEncoder` maps each sensor's whole window to a token, with the sensor's own weights if
       the build is known. The machine's token is the sum over its sensors.
    5. `MachineAttention` lets components, sensors and the machine attend to each other, whether or
       not lines connect them. The other sensors stand in for a missing one.
    6. `GATBlock`s pass messages along the lines. They depend on the lines' static features and on
       the mean and presence of their dynamic ones.
    7. `MachinePool` takes mean and maximum over the components, before and after step 6 (GraphNorm
       erases what all components share). The machine's token and the mean and presence of the
       machine's own features are added. With space before time only one view is pooled.
    8. `TaskHeads` exchanges information between heads by attention; component heads see the machine
       too.
    9. `RowReader`, if there are `row_channels`, reads all sensors of a machine as one row and adds
       its output to each answer.

    Args:
        config: The sizes and switches.
        spec: The vocabularies and counts of the inputs.
        heads: The heads of the task.
    """

    Config = NetworkConfig

    @checked
    def __init__(self, config: NetworkConfig, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__(config, spec, heads)
        channels, attention_heads = config.hidden_channels, config.attention_heads
        self.order = config.order if config.spatial_layers else "time_then_space"
        self.masks_lines = spec.masks_lines
        self.of_any_build, self.references = config.of_any_build, config.reads_references
        places = len(spec.sensor_slots) if config.sensor_identity else 0
        self.inputs = SensorInputs(config, spec)
        self.encoder = SensorSetEncoder(
            num_features=self.inputs.width,
            channels=channels,
            num_sensor_kinds=len(spec.sensor_kinds),
            num_component_kinds=len(spec.component_kinds),
            attention_heads=attention_heads,
            num_slots=places,
            num_nominal=len(spec.nominal_names),
        )
        self.temporal = TemporalBlock(
            channels,
            attention_heads,
            spec.steps,
            config.states,
            config.arma,
            config.use_ar,
            config.use_ma,
        )
        # Between graph blocks at every step there are states only.
        between = config.spatial_layers - 1 if self.order == "interleaved" else 0
        self.between = nn.ModuleList(
            make_states(config.states, channels, spec.steps) for _ in range(between)
        )
        self._make_readout(config, spec, heads)

    def _make_readout(
        self, config: NetworkConfig, spec: InputSpec, heads: Sequence[HeadSpec]
    ) -> None:
        """Create the layers after the temporal block: tokens, lines, the machine, the heads."""
        channels, attention_heads = config.hidden_channels, config.attention_heads
        self.window = WindowEncoder(config, spec, self.inputs.width)
        self.component = nn.Linear(self.temporal.summary_channels + channels, channels)
        self.attention = MachineAttention(config) if config.token_layers else None
        edge_channels = 0
        if config.edge_features:
            masks = NUM_EDGE_FEATURES if spec.masks_lines else 0
            edge_channels = NUM_EDGE_FEATURES + 2 * len(spec.edge_dynamic_names) + masks
        self.spatial = nn.ModuleList(
            GATBlock(channels, attention_heads, edge_channels, config.dropout)
            for _ in range(config.spatial_layers)
        )
        self.pool = MachinePool(channels, config.machine_pooling)
        views = 2 if self.order == "time_then_space" else 1
        pooled = views * self.pool.out_channels
        self.machine = nn.Linear(pooled + channels + 2 * len(spec.machine_feature_names), channels)
        self.component_context = nn.Linear((views + 1) * channels, channels)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = TaskHeads(heads, channels, attention_heads, config.dropout, config.cross_task)
        self.rows = make_row_reader(config, spec, self.heads.own)

    def fit_inputs(self, windows: Callable[[], Iterable[GroupedInputs]]) -> None:
        """Fit the whitening of the sensors and the row reader."""
        self.inputs.fit(windows)
        if self.rows is not None:
            self.rows.fit(windows)

    def forward(self, inputs: GraphInputs) -> ModelOutput:
        """Return the output for a batch of normalised features."""
        graph, graphs = inputs.component_graph, inputs.graph_id.shape[0]
        features, normalised = self.inputs(inputs), inputs
        inputs = inputs._replace(sensor_observed=self.inputs.observed(inputs))
        encoding = self.encoder(
            features,
            inputs.sensor_observed,
            inputs.sensor_slot,
            inputs.sensor_kind,
            inputs.sensor_component,
            inputs.component_kind,
            inputs.component_nominal,
            inputs.component_nominal_mask,
        )
        dynamic = known_mean(inputs.edge_dynamic, inputs.edge_dynamic_mask)
        known = inputs.edge_features_mask
        lines = torch.cat((inputs.edge_features.masked_fill(~known, 0.0), dynamic), dim=-1)
        if self.masks_lines:
            lines = torch.cat((lines, known.to(lines)), dim=-1)
        if self.order == "time_then_space":
            steps = self.temporal(encoding.sequence, encoding.observed)
        else:
            steps = self._space_at_every_step(encoding, inputs, lines)
        before, machine_token = self.join_tokens(
            inputs, features, encoding.component, steps.summary
        )
        after, views = self.dropout(before), [before]
        if self.order == "time_then_space":
            for block in self.spatial:
                after = block(after, inputs.edge_index, lines, graph, graphs)
            views.append(after)
        pooled = [self.pool(x, graph, graphs) for x in views]
        own = known_mean(inputs.machine_features, inputs.machine_features_mask)
        joined = torch.cat((*pooled, machine_token, own), dim=-1)
        machines: Tensor = self.dropout(F.silu(self.machine(joined)))
        context = torch.cat((*views, machines.index_select(0, graph)), dim=-1)
        components: Tensor = self.dropout(F.silu(self.component_context(context)))
        row_answers = None if self.rows is None else self.rows(normalised)
        answers = self.heads(components, machines, graph, inputs.component_heads, row_answers)
        return ModelOutput(answers, steps.arma)

    def join_tokens(
        self, inputs: GraphInputs, features: Tensor, component: Tensor, steps: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return components [N, C] and machines [G, C] after the attention between all tokens.

        Args:
            inputs: The batch.
            features: The output of `SensorInputs`, [S, T, width].
            component: The embedding of each component's kind, [N, C].
            steps: The summary of each component's steps, [N, 2 C].
        """
        window = self.window(inputs, features)
        carrier = inputs.sensor_component
        own = segment_sum(window.tokens * window.observed.unsqueeze(1), carrier, component.shape[0])
        summary: Tensor = self.component(torch.cat((steps, component), dim=-1))
        components, machines = summary + own, window.machine
        if self.attention is None:
            return components, machines
        sensors = window.tokens + component.index_select(0, carrier)
        attended: tuple[Tensor, Tensor] = self.attention(
            inputs, components, sensors, window.observed, machines
        )
        return attended

    def _space_at_every_step(
        self, encoding: SensorEncoding, inputs: GraphInputs, lines: Tensor
    ) -> TemporalOutput:
        """Run the graph blocks on [N, T, C], states between them if interleaved, then the steps.

        A step of a component counts as observed if any component of its graph is observed then.
        """
        graph, graphs = inputs.component_graph, inputs.graph_id.shape[0]
        seen = segment_sum(encoding.observed.long(), graph, graphs) > 0
        observed = seen.index_select(0, graph)
        sequence = encoding.sequence
        for number, block in enumerate(self.spatial):
            sequence = block(sequence, inputs.edge_index, lines, graph, graphs)
            if number < len(self.between):
                sequence = self.between[number](sequence, observed)
        steps: TemporalOutput = self.temporal(sequence, observed)
        return steps
