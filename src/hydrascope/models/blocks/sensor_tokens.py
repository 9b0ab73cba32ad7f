"""Encoder of whole windows: one token per sensor, one sum per machine."""

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
    """The tokens of sensors and machines."""

    tokens: Tensor
    """The token of each sensor, [S, C]."""
    observed: Tensor
    """Whether at least one step of the sensor is observed, [S] bool."""
    machine: Tensor
    """The token of each machine, from the sum over its sensors, [G, C]."""


class WindowEncoder(nn.Module):
    """Maps all steps of a sensor at once.

        token = W₂ SiLU((1 + γ_kind) ⊙ W₁ x + β_kind) + U_slot x,   machine = W₃ SiLU(Σ V_slot x)

    x are the features of all steps, [T·F], or without `step_identity` their mean over the observed
    steps, [F]. Each sensor of a known topology has its own maps U and V. So the sum over a
    machine's sensors is a linear map of its whole row of features. A missing sensor drops out of
    the sum and changes nothing else. Without `sensor_identity` there are no U and V, and the sum is
    that of the tokens.

    Shapes: S sensors, T steps, F features, G graphs, P places of sensors, C channels.

    Args:
        config: The configuration of the network.
        spec: The description of the inputs.
        features: F, the number of values per sensor and step.
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
            # U for the tokens and V for the machine's sum, side by side.
            own = torch.randn(places, numbers, 2 * channels) / math.sqrt(numbers)
            own[..., channels:] /= math.sqrt(8.0)  # a sum over sensors is about as large as a token
            self.own = nn.Parameter(own)
            self.own_bias = nn.Parameter(0.2 * torch.randn(places, channels))
        self.machine = nn.Linear(channels, channels)

    def forward(self, inputs: GraphInputs, features: Tensor) -> SensorTokens:
        """Encode `features` [S, T, F], which are 0 at unobserved steps."""
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
        terms = tokens
        if self.own is not None and self.own_bias is not None:
            own, terms = self._own(x, inputs.sensor_slot, graph, graphs)
            tokens = tokens + own + self.own_bias.index_select(0, inputs.sensor_slot)
        total = segment_sum(terms * observed.unsqueeze(1), graph, graphs)
        return SensorTokens(tokens, observed, self.machine(F.silu(total)))

    def _own(self, x: Tensor, slot: Tensor, graph: Tensor, graphs: int) -> tuple[Tensor, Tensor]:
        """Return U x and V x of each sensor, [S, C] each.

        Rows are grouped by slot, so that each slot is one matrix product. A graph has at most one
        sensor per slot.
        """
        assert self.own is not None
        place = slot * graphs + graph
        dense = lay_out(x, place, self.places, graphs)
        mapped = torch.bmm(dense, self.own).flatten(0, 1).index_select(0, place)
        token, term = mapped.chunk(2, dim=-1)
        return token, term
