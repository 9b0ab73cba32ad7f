"""Attention between all sensors and components of a machine, independent of its lines."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.blocks.sensor_layout import lay_out, rows_of
from hydrascope.models.config import NetworkConfig
from hydrascope.models.layers.self_attention import SelfAttention


class TokenBlock(nn.Module):
    """Self-attention and a feed-forward layer, both residual.

    Shapes: G graphs, K tokens, C channels.

    Args:
        channels: C.
        attention_heads: The heads of the attention.
        dropout: The share of an update's channels dropped in training.
    """

    def __init__(self, channels: int, attention_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = SelfAttention(channels, attention_heads)
        self.norm = nn.RMSNorm(channels)
        self.hidden = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(2 * channels, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, known: Tensor) -> Tensor:
        """Apply the block: [G, K, C], [G, K] bool -> [G, K, C]."""
        tokens = tokens + self.dropout(self.attention.update(tokens, known))
        update: Tensor = self.out(F.silu(self.hidden(self.norm(tokens))))
        update = self.dropout(update)
        return tokens + update


class MachineAttention(nn.Module):
    """Lets components, sensors and the machine attend to each other.

    Every component, every observed sensor and the machine is a token. So a component without
    sensors can read the sensors of others, and other sensors can stand in for a missing one.

    Shapes: N components, S sensors, G graphs, C channels.

    Args:
        config: The configuration of the network.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels = config.hidden_channels
        self.blocks = nn.ModuleList(
            TokenBlock(channels, config.attention_heads, config.dropout)
            for _ in range(config.token_layers)
        )
        self.norm = nn.RMSNorm(channels)

    def forward(
        self,
        inputs: GraphInputs,
        components: Tensor,
        sensors: Tensor,
        sensor_observed: Tensor,
        machines: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Attend: [N, C], [S, C], [S] bool, [G, C] -> components [N, C], machines [G, C]."""
        graphs, places = inputs.graph_id.shape[0], inputs.place_id.shape[0]
        component_row = inputs.component_graph * places + inputs.component_place
        row = torch.cat((component_row, rows_of(inputs, inputs.sensor_place, places)))
        values = torch.cat((components, sensors))
        valid = torch.cat((components.new_ones(components.shape[0]), sensor_observed.to(values)))
        tokens = torch.cat((machines.unsqueeze(1), lay_out(values, row, graphs, places)), dim=1)
        known = lay_out(valid, row, graphs, places)
        known = torch.cat((known.new_ones(graphs, 1), known), dim=1) > 0
        for block in self.blocks:
            tokens = block(tokens, known)
        tokens = self.norm(tokens)
        rest = tokens[:, 1:].reshape(graphs * places, values.shape[1])
        return rest.index_select(0, component_row), tokens[:, 0]
