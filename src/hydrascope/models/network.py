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
from hydrascope.schemas.task import HeadSpec


class UniversalTemporalGNN(Network):
    """Multi-task spatio-temporal graph network over machines of any build.

    1. `SensorInputs`: features are whitened sensor by sensor and, where there are references, set
       beside the machine's own sound state.
    2. `SensorSetEncoder`: each component pools the embeddings of its sensors, step by step.
    3. `TemporalBlock`: LSTM and ARMA attention over the steps of each component, weights shared.
       Time comes before space: as expressive as both at every step (J. Gao, B. Ribeiro, "On the
       Equivalence Between Temporal and Static Equivariant Graph Representations", ICML 2022),
       and the graph part costs T times less. Config `order` turns it round, for comparison.
    4. `WindowEncoder`: each sensor's whole window becomes a token, by weights of its own where the
       build is known; the machine's token is the sum over its sensors.
    5. `MachineAttention`: components, sensors and the machine hear each other, whatever lines lie
       between them. What a missing sensor would have said is asked of the others.
    6. `GATBlock`s: components hear each other along the lines, as the lines' static features and
       the mean and presence of their dynamic ones let them.
    7. `MachinePool`: mean and maximum over components, of what they heard and of what they were
       before (GraphNorm erases what is common to all), join the machine's token and the mean and
       presence of the machine's own features. With space before time there is no "before", and
       what they heard is all.
    8. `TaskHeads`: heads exchange through attention; component heads know the machine too.
    9. `RowReader`, where there are `row_channels`: the machine's sensors as one row add to each
       answer what they say together.

    Args:
        config: Sizes and switches.
        spec: Vocabularies and counts of the inputs.
        heads: The heads of the task; without any, only steps 2 and 3 exist.
    """

    Config = NetworkConfig

    def __init__(self, config: NetworkConfig, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__(config, spec, heads)
        channels, attention_heads = config.hidden_channels, config.attention_heads
        self.order = config.order if config.spatial_layers and heads else "time_then_space"
        self.of_any_build, self.references = config.of_any_build, config.reads_references
        places = len(spec.sensor_slots) if config.sensor_identity else 0
        self.inputs = SensorInputs(config, spec, heads=bool(heads))
        self.encoder = SensorSetEncoder(
            num_features=self.inputs.width,
            channels=channels,
            num_sensor_kinds=len(spec.sensor_kinds),
            num_component_kinds=len(spec.component_kinds),
            attention_heads=attention_heads,
            num_slots=places,
            # Those of a component without sensors reach no state.
            num_nominal=len(spec.nominal_names) if heads else 0,
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
        # Between graph blocks that run at every step: states only, so that what is forecast and
        # what the heads read are of one block.
        between = config.spatial_layers - 1 if self.order == "interleaved" else 0
        self.between = nn.ModuleList(
            make_states(config.states, channels, spec.steps) for _ in range(between)
        )
        # What is forecast by `normality` is forecast from causal states.
        self.state_channels = channels if self.temporal.carried else None
        self.heads: TaskHeads | None = None
        if not heads:  # normality alone reads the states, and no more
            self.temporal.pool.requires_grad_(False)
            return
        self._make_what_answers(config, spec, heads)

    def _make_what_answers(
        self, config: NetworkConfig, spec: InputSpec, heads: Sequence[HeadSpec]
    ) -> None:
        """Make what stands behind the steps: tokens, lines, the machine, the heads."""
        channels, attention_heads = config.hidden_channels, config.attention_heads
        self.window = WindowEncoder(config, spec, self.inputs.width)
        self.component = nn.Linear(self.temporal.summary_channels + channels, channels)
        self.attention = MachineAttention(config) if config.token_layers else None
        edge_channels = 0
        if config.edge_features:
            edge_channels = NUM_EDGE_FEATURES + 2 * len(spec.edge_dynamic_names)
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
        """Fit the whitening of the sensors."""
        if self.heads is not None:  # normality is learned from features as they are normalised
            self.inputs.fit(windows)
            if self.rows is not None:
                self.rows.fit(windows)

    def forward(self, inputs: GraphInputs) -> ModelOutput:
        """Answer a batch whose features are normalised."""
        graph, graphs = inputs.component_graph, inputs.graph_id.shape[0]
        features, given = self.inputs(inputs), inputs
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
        if self.heads is None:
            steps = self.temporal(encoding.sequence, encoding.observed)
            return ModelOutput({}, steps.arma, steps.sequence)
        dynamic = known_mean(inputs.edge_dynamic, inputs.edge_dynamic_mask)
        lines = torch.cat((inputs.edge_features, dynamic), dim=-1)
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
        beside = None if self.rows is None else self.rows(given)
        answers = self.heads(components, machines, graph, inputs.component_heads, beside)
        return ModelOutput(answers, steps.arma, steps.sequence)

    def join_tokens(
        self, inputs: GraphInputs, features: Tensor, component: Tensor, steps: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return components [N, C] and machines [G, C] after all tokens have heard each other.

        Args:
            inputs: Of the batch.
            features: Of `SensorInputs`, [S, T, width].
            component: Embedding of each component's kind, [N, C].
            steps: Summary of each component's steps, [N, 2 C].
        """
        window = self.window(inputs, features)
        carrier = inputs.sensor_component
        own = segment_sum(window.tokens * window.observed.unsqueeze(1), carrier, component.shape[0])
        summary: Tensor = self.component(torch.cat((steps, component), dim=-1))
        components, machines = summary + own, window.machine
        if self.attention is None:
            return components, machines
        sensors = window.tokens + component.index_select(0, carrier)
        heard: tuple[Tensor, Tensor] = self.attention(
            inputs, components, sensors, window.observed, machines
        )
        return heard

    def _space_at_every_step(
        self, encoding: SensorEncoding, inputs: GraphInputs, lines: Tensor
    ) -> TemporalOutput:
        """Run the graph blocks on [N, T, C], states behind each if interleaved, then the steps.

        A component that hears others knows something wherever anything of its graph is observed.
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
