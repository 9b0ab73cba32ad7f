"""What a whole window of a sensor comes to: one token a sensor, one sum a machine."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.blocks.sensor_layout import lay_out, sensor_graph
from hydrascope.models.config import NetworkConfig
from hydrascope.models.layers.segment import segment_sum


class SensorTokens(NamedTuple):
    """Tokens of the sensors."""

    tokens: Tensor
    """[S, C]"""
    observed: Tensor
    """[S] bool; at least one step of the sensor is observed."""
    machine: Tensor
    """[G, C]; what the sensors of each machine say together."""


class WindowEncoder(nn.Module):
    """Map all steps of a sensor at once.

        token = W₂ SiLU((1 + γ_kind) ⊙ W₁ x + β_kind) + U_slot x,   machine = W₃ SiLU(Σ V_slot x)

    with x the features of all steps, [T·F], or with `step_identity` off their mean over the
    observed steps, [F]. Each sensor of a known topology has maps U and V of its own, so that the
    sum over a machine's sensors is a linear map of its whole row of features: a sensor that is
    missing leaves the sum, and nothing else changes. Without `sensor_identity` there are
    no maps of a sensor's own: the machine's sum is that of the tokens.

    Shapes: S sensors, T steps, F features, G graphs, P places of sensors, C channels.

    Args:
        config: Of the network.
        spec: Of the inputs.
        features: F; numbers of a sensor and step that are read.
    """

    def __init__(self, config: NetworkConfig, spec: InputSpec, features: int) -> None:
        super().__init__()
        channels, self.step_identity = config.hidden_channels, config.step_identity
        self.places = places = len(spec.sensor_slots) if config.sensor_identity else 0
        numbers = features * (spec.steps if self.step_identity else 1)
        self.shared = nn.Linear(numbers, channels)
        self.kind = nn.Embedding(len(spec.sensor_kinds), 2 * channels)
        nn.init.normal_(self.kind.weight, std=0.2)
        self.out = nn.Linear(channels, channels)
        self.own: nn.Parameter | None = None
        self.own_bias: nn.Parameter | None = None
        if places:
            # Tokens beside terms of the machine's sum.
            own = torch.randn(places, numbers, 2 * channels) / math.sqrt(numbers)
            own[..., channels:] /= math.sqrt(8.0)  # a sum of some sensors, about as large as one
            self.own = nn.Parameter(own)
            self.own_bias = nn.Parameter(0.2 * torch.randn(places, channels))
        self.machine = nn.Linear(channels, channels)

    def forward(self, inputs: GraphInputs, features: Tensor) -> SensorTokens:
        """Encode `features` [S, T, F], which are 0 where not observed."""
        observed = inputs.sensor_observed.any(dim=1)
        if self.step_identity:
            x = features.flatten(1)
        else:
            count = inputs.sensor_observed.sum(dim=1, keepdim=True).clamp(min=1)
            x = features.sum(dim=1) / count.to(features.dtype)
        scale, shift = self.kind(inputs.sensor_kind).chunk(2, dim=-1)
        hidden: Tensor = self.shared(x)
        tokens: Tensor = self.out(F.silu(torch.addcmul(shift, hidden, 1 + scale)))
        graph = sensor_graph(inputs)
        graphs = inputs.graph_id.shape[0]
        said = tokens
        if self.own is not None and self.own_bias is not None:
            own, said = self._own(x, inputs.sensor_slot, graph, graphs)
            tokens = tokens + own + self.own_bias.index_select(0, inputs.sensor_slot)
        total = segment_sum(said * observed.unsqueeze(1), graph, graphs)
        return SensorTokens(tokens, observed, self.machine(F.silu(total)))

    def _own(self, x: Tensor, slot: Tensor, graph: Tensor, graphs: int) -> tuple[Tensor, Tensor]:
        """Return U x and V x of each sensor, [S, C] each.

        Rows are laid out by slot, in which a graph has one sensor at most, so that each slot is
        one matrix product.
        """
        assert self.own is not None
        place = slot * graphs + graph
        dense = lay_out(x, place, self.places, graphs)
        mapped = torch.bmm(dense, self.own).flatten(0, 1).index_select(0, place)
        token, term = mapped.chunk(2, dim=-1)
        return token, term
