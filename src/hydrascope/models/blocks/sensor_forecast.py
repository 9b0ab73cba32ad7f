"""Forecast of each sensor's next step from the earlier steps."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.layers.segment import segment_mean
from hydrascope.models.layers.steps import carry_forward, previous_step


class SensorResidual(NamedTuple):
    """The residual of a forecast of the sensors."""

    value: Tensor
    """The whitened features minus their forecast, [S, T, F]; 0 if there is nothing to score."""
    observed: Tensor
    """Whether the step is observed and the sensor was seen in training, [S, T] bool."""


class SensorForecast(nn.Module):
    """Forecasts the whitened features of every sensor at step t from the steps before t.

    The inputs are, after step t − 1: the sensor's last observed features x, the causal state of its
    component and the mean of the machine's component states. They are mapped as in
    `SensorSetEncoder`:

        forecast = W₂ SiLU((1 + γ) ⊙ W₁ [x, state, machine] + β)

    γ and β belong to the sensor's kind and, with `identity`, to its slot. The first step has no
    earlier one, so its forecast is the usual value of the sensor. By the chain rule the residuals
    of all steps together measure how surprising the whole window is. A fault that shifts all steps
    equally is followed by the forecast, but still shows in the first step. W₂ starts at 0, so the
    initial forecast is 0.

    Shapes: S sensors, T steps, F features, N components, G graphs, C channels.

    Args:
        spec: The vocabularies and the number of features.
        channels: C, the channels of the states.
        identity: Whether each sensor of a known topology has its own γ and β.
    """

    def __init__(self, spec: InputSpec, channels: int, identity: bool) -> None:
        super().__init__()
        features = len(spec.feature_names)
        self.hidden = nn.Linear(features + 2 * channels, channels)
        self.sensor_kind = nn.Embedding(len(spec.sensor_kinds), 2 * channels)
        nn.init.normal_(self.sensor_kind.weight, std=0.2)
        self.sensor_slot = nn.Embedding(len(spec.sensor_slots), 2 * channels) if identity else None
        if self.sensor_slot is not None:
            nn.init.zeros_(self.sensor_slot.weight)
        self.out = nn.Linear(channels, features, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(
        self, inputs: GraphInputs, states: Tensor, features: Tensor, observed: Tensor
    ) -> Tensor:
        """Forecast [S, T, F] from states [N, T, C], features [S, T, F] and observed [S, T] bool."""
        component, graph = inputs.sensor_component, inputs.component_graph
        graphs = inputs.graph_id.shape[0]
        own = carry_forward(features, observed)
        # Components without sensors have no meaningful state and are left out of the mean.
        carrying = torch.zeros_like(graph).index_fill(0, component, 1)
        place = torch.where(carrying > 0, graph, graphs)
        machine = segment_mean(states, place, graphs + 1)
        machine_state = machine.index_select(0, graph.index_select(0, component))
        known = torch.cat((own, states.index_select(0, component), machine_state), dim=-1)
        film: Tensor = self.sensor_kind(inputs.sensor_kind)
        if self.sensor_slot is not None:
            film = film + self.sensor_slot(inputs.sensor_slot)
        scale, shift = film.unsqueeze(1).chunk(2, dim=-1)
        hidden: Tensor = self.hidden(previous_step(known))
        forecast: Tensor = self.out(F.silu(torch.addcmul(hidden + shift, hidden, scale)))
        return forecast
