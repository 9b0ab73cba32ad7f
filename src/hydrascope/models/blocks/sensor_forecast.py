"""Each sensor's next step, from what was known before it."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.layers.segment import segment_mean
from hydrascope.models.layers.steps import carry_forward, previous_step


class SensorResidual(NamedTuple):
    """What a forecast of the sensors missed."""

    value: Tensor
    """[S, T, F]; whitened features minus their forecast, 0 where there is nothing to score."""
    observed: Tensor
    """[S, T] bool; observed, and by a sensor that was seen in training."""


class SensorForecast(nn.Module):
    """Forecast the whitened features of every sensor at step t from the steps before t.

    The sensor's own last observed features, the causal state of its component and the mean of the
    machine's component states, all after step t − 1, are mapped as in `SensorSetEncoder`:

        forecast = W₂ SiLU((1 + γ) ⊙ W₁ [x, state, machine] + β)

    with γ and β of the sensor's kind and, with identity, of its slot. Nothing comes before the
    first step, so its forecast is what the sensor usually shows. Thus the residuals of all steps
    together are as surprising as the window as a whole (chain rule), and a fault that shifts every
    step alike, which a forecast follows, still shows in the first. W₂ begins at 0: nothing is
    forecast until it is learned.

    Shapes: S sensors, T steps, F features, N components, G graphs, C channels.

    Args:
        spec: Vocabularies and number of features.
        channels: C of the states.
        identity: Whether each sensor of a known topology has a γ and β of its own.
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
        """States [N, T, C], features [S, T, F], [S, T] bool -> forecast [S, T, F]."""
        component, graph = inputs.sensor_component, inputs.component_graph
        graphs = inputs.graph_id.shape[0]
        own = carry_forward(features, observed)
        # Components without sensors have no state to speak of: they are left out of the mean.
        carrying = torch.zeros_like(graph).index_fill(0, component, 1)
        place = torch.where(carrying > 0, graph, graphs)
        machine = segment_mean(states, place, graphs + 1)
        of_machine = machine.index_select(0, graph.index_select(0, component))
        known = torch.cat((own, states.index_select(0, component), of_machine), dim=-1)
        film: Tensor = self.sensor_kind(inputs.sensor_kind)
        if self.sensor_slot is not None:
            film = film + self.sensor_slot(inputs.sensor_slot)
        scale, shift = film.unsqueeze(1).chunk(2, dim=-1)
        hidden: Tensor = self.hidden(previous_step(known))
        forecast: Tensor = self.out(F.silu(torch.addcmul(hidden + shift, hidden, scale)))
        return forecast
