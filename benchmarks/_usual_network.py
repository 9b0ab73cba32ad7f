"""The default network as it is usually written: the reference of `training`."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv, GraphNorm, global_max_pool, global_mean_pool
from torch_geometric.utils import scatter, softmax

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.base import ModelOutput
from hydrascope.models.blocks.sensor_encoder import SensorSetEncoder
from hydrascope.models.blocks.spatial import GATBlock
from hydrascope.models.layers.arma import ARMAAttention, ARMAOutput
from hydrascope.models.layers.gatv2 import EdgeGATv2
from hydrascope.models.layers.lstm import MaskedLSTM
from hydrascope.models.layers.pooling import known_mean
from hydrascope.models.network import UniversalTemporalGNN


class EdgeConv(GATv2Conv):  # type: ignore[misc]
    """PyG's layer with the edges' features in the message too; weights of one of ours."""

    def __init__(self, ours: EdgeGATv2) -> None:
        assert ours.edge is not None
        assert ours.edge_message is not None
        channels, heads = ours.own.out_features, ours.attention_heads
        super().__init__(
            ours.own.in_features,
            channels // heads,
            heads,
            edge_dim=ours.edge.in_features,
            add_self_loops=False,
            residual=True,
        )
        self.lin_l.register_parameter("bias", None)
        self.edge_message = copy.deepcopy(ours.edge_message)
        with torch.no_grad():
            self.lin_l.weight.copy_(ours.source.weight)
            self.lin_r.weight.copy_(ours.target.weight)
            self.lin_r.bias.copy_(ours.target.bias)
            self.lin_edge.weight.copy_(ours.edge.weight)
            self.att.copy_(ours.attention.unsqueeze(0))
            self.res.weight.copy_(ours.own.weight)
            self.bias.copy_(ours.own.bias)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        """[N, C], [2, E], [E, D] -> [N, C]."""
        self._line = self.edge_message(edge_attr).view(-1, 2, self.heads, self.out_channels)
        heard: Tensor = super().forward(x, edge_index, edge_attr)
        return heard

    def message(self, x_j: Tensor, alpha: Tensor) -> Tensor:
        """Return what flows along each edge."""
        scale, shift = self._line.unbind(1)
        return ((1 + scale) * x_j + shift) * alpha.unsqueeze(-1)


class UsualEncoder(nn.Module):
    """The sensors of one step, pooled by PyG's softmax and sum over a component's sensors."""

    def __init__(self, ours: SensorSetEncoder) -> None:
        super().__init__()
        self.layer = copy.deepcopy(ours)

    def forward(self, features: Tensor, inputs: GraphInputs) -> Tensor:
        """[S, F], all observed -> [N, C]."""
        layer, component = self.layer, inputs.sensor_component
        film = layer.sensor_kind(inputs.sensor_kind)
        if layer.sensor_slot is not None:
            film = film + layer.sensor_slot(inputs.sensor_slot)
        scale, shift = film.chunk(2, dim=-1)
        tokens: Tensor = layer.token(F.silu((1 + scale) * layer.features(features) + shift))
        count = inputs.component_kind.shape[0]
        weights = softmax(layer.pool.score(tokens), component, num_nodes=count).unsqueeze(-1)
        heads = tokens.view(tokens.shape[0], layer.pool.attention_heads, -1)
        pooled: Tensor = scatter(weights * heads, component, 0, count, reduce="sum").flatten(1)
        return pooled + layer.component_kind(inputs.component_kind)


class LoopedARMA(nn.Module):
    """Gated ARMA attention as its recurrence, one step after the other."""

    def __init__(self, ours: ARMAAttention) -> None:
        super().__init__()
        assert ours.gate is not None
        assert ours.strength is not None
        self.layer = copy.deepcopy(ours)

    def forward(self, sequence: Tensor) -> ARMAOutput:
        """[B, T, C], all observed."""
        layer, heads = self.layer, self.layer.attention_heads
        rows, steps, channels = sequence.shape
        width = channels // heads
        memory = sequence.new_zeros(rows, heads, width, width)
        errors = sequence.new_zeros(rows, heads, width, width)
        count = sequence.new_zeros(rows, heads, 1)
        forecast = last_query = last_key = sequence.new_zeros(rows, heads, width)
        outputs, values, forecasts = [], [], []
        for step in range(steps):
            value = layer.norm(sequence[:, step])
            query, key, error_key = layer.project(value).view(rows, 3, heads, width).unbind(1)
            split = value.view(rows, heads, width)
            forecasts.append(forecast.flatten(1))
            if step:
                residual = split - forecast
                errors = errors + last_key.unsqueeze(-1) * residual.unsqueeze(-2)
            average = (last_query.unsqueeze(-2) @ errors).squeeze(-2)
            kept = layer.gate(value).sigmoid()
            memory = memory * kept[..., None, None] + key.unsqueeze(-1) * split.unsqueeze(-2)
            count = count * kept.unsqueeze(-1) + 1.0
            forecast = (query.unsqueeze(-2) @ memory).squeeze(-2) / (width**0.5 * count)
            outputs.append(layer.out((forecast + average).flatten(1)))
            values.append(value)
            last_query, last_key = self._features(query, error_key, width)
        valid = torch.ones(rows, steps, dtype=torch.bool, device=sequence.device)
        valid[:, 0] = False
        return ARMAOutput(
            torch.stack(outputs, 1), torch.stack(values, 1), torch.stack(forecasts, 1), valid
        )

    def _features(self, query: Tensor, key: Tensor, width: int) -> tuple[Tensor, Tensor]:
        rms = (query.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        mean_weight = 0.5 * 0.98 / (2 * torch.pi) ** 0.5
        gain = 2 * self.layer.strength.sigmoid().unsqueeze(-1) / (mean_weight * width**0.5 * rms)
        phi_query = torch.where(query < 0, query, 0.02 * query) * gain / width**0.5
        return phi_query, (0.02 * key / width**0.5).sigmoid()


class UsualNetwork(nn.Module):
    """One of our networks with its weights, written out.

    A Python loop over the steps embeds and pools the sensors, and where space comes before time
    also runs the graph blocks; what works on graphs is PyG's: `GATv2Conv`, `GraphNorm`, `softmax`,
    `scatter`, the global pools. `nn.LSTM` runs over each graph's components by themselves; ARMA
    attention is its recurrence. Everything is observed; the rest is ours.
    """

    def __init__(self, ours: UniversalTemporalGNN) -> None:
        super().__init__()
        self.rest = copy.deepcopy(ours)
        self.encoder = UsualEncoder(self.rest.encoder)
        del self.rest.encoder
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for block in self.rest.spatial:
            assert isinstance(block, GATBlock)
            self.convs.append(EdgeConv(block.attention))
            self.norms.append(GraphNorm(block.graph_norm.weight.shape[0]))
            self.norms[-1].load_state_dict(block.graph_norm.state_dict())
            del block.attention, block.graph_norm
        assert self.rest.pool.pool is None
        temporal = self.rest.temporal
        assert isinstance(temporal.states, MaskedLSTM)
        assert temporal.arma is not None
        channels = temporal.states.hidden_channels
        self.lstm = nn.LSTM(channels, channels, batch_first=True)
        with torch.no_grad():
            self.lstm.weight_ih_l0.copy_(temporal.states.input.weight)
            self.lstm.weight_hh_l0.copy_(temporal.states.recurrent.weight)
            self.lstm.bias_ih_l0.copy_(temporal.states.input.bias)
            self.lstm.bias_hh_l0.zero_()
        self.lstm.bias_hh_l0.requires_grad_(False)  # ours has one bias
        self.arma = LoopedARMA(temporal.arma)
        temporal.states, temporal.arma = nn.Identity(), None

    def forward(self, inputs: GraphInputs) -> ModelOutput:
        """Answer a batch whose features are normalised and all observed."""
        rest, graph, graphs = self.rest, inputs.component_graph, inputs.graph_id.shape[0]
        dynamic = known_mean(inputs.edge_dynamic, inputs.edge_dynamic_mask)
        lines = torch.cat((inputs.edge_features, dynamic), dim=-1)
        features, rows = rest.inputs(inputs), []
        for step in range(features.shape[1]):
            row = self.encoder(features[:, step], inputs)
            if rest.order == "space_then_time":
                row = self._space(row, inputs, lines)
            rows.append(row)
        sequence = torch.stack(rows, dim=1)
        per_graph = sequence.split(torch.bincount(graph).tolist())
        hidden = torch.cat([self.lstm(part)[0] for part in per_graph])
        arma = self.arma(hidden)
        everywhere = torch.ones_like(hidden[..., 0], dtype=torch.bool)
        pooled = rest.temporal.pool(hidden + arma.output, everywhere)
        kind = self.encoder.layer.component_kind(inputs.component_kind)
        summary = torch.cat((hidden[:, -1], pooled), dim=-1)
        before, token = rest.join_tokens(inputs, features, kind, summary)
        after, views = rest.dropout(before), [before]
        if rest.order == "time_then_space":
            after = self._space(after, inputs, lines)
            views.append(after)
        pools = global_mean_pool, global_max_pool
        pooled_views = [pool(x, graph, graphs) for x in views for pool in pools]
        own = known_mean(inputs.machine_features, inputs.machine_features_mask)
        machines = rest.dropout(
            F.silu(rest.machine(torch.cat((*pooled_views, token, own), dim=-1)))
        )
        context = torch.cat((*views, machines.index_select(0, graph)), dim=-1)
        components = rest.dropout(F.silu(rest.component_context(context)))
        return ModelOutput(rest.heads(components, machines, graph, inputs.component_heads), arma)

    def _space(self, x: Tensor, inputs: GraphInputs, lines: Tensor) -> Tensor:
        graph, graphs = inputs.component_graph, inputs.graph_id.shape[0]
        for conv, norm, block in zip(self.convs, self.norms, self.rest.spatial, strict=True):
            assert isinstance(block, GATBlock)
            heard = conv(x, inputs.edge_index, lines)
            x = x + block.dropout(F.silu(norm(heard, graph, graphs)))
            x = x + block.dropout(block.out(F.silu(block.hidden(block.norm(x)))))
        return x
