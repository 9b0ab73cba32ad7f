"""Encoder of a set of sensors to one sequence per component."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.models.layers.pooling import SetPool


class SensorEncoding(NamedTuple):
    """One sequence per component."""

    sequence: Tensor
    """The pooled sensors plus the component's own embedding, [N, T, C]."""
    observed: Tensor
    """Whether at least one sensor of the component is observed, [N, T] bool."""
    component: Tensor
    """The embedding of the component's kind, [N, C]. Add it again after the temporal block: a
    component without sensors has no observed step, so a masked layer passes nothing of it."""


class SensorSetEncoder(nn.Module):
    """Embeds every sensor by its kind and pools the sensors of each component, step by step.

    A component may have any number and kind of sensors, or none (M. Zaheer et al., "Deep Sets",
    NeurIPS 2017; E. Perez et al., "FiLM", AAAI 2018):

        token = W₂ SiLU((1 + γ_kind) ⊙ W₁ x + β_kind)

    `SetPool` then pools the tokens of the component's observed sensors.

    Shapes: S sensors, T steps, F features, N components, V nominal values, C channels.

    Args:
        num_features: F.
        channels: C.
        num_sensor_kinds: The number of sensor kinds in the vocabulary.
        num_component_kinds: The number of component kinds in the vocabulary.
        attention_heads: The heads of the pooling.
        num_slots: The rows of the (topology, sensor) table, if each sensor is to have its own γ and
            β in addition to those of its kind. This ties the network to the machines it was trained
            on. 0 for none.
        num_nominal: V; known nominal values enter the component's embedding.
    """

    def __init__(
        self,
        num_features: int,
        channels: int,
        num_sensor_kinds: int,
        num_component_kinds: int,
        attention_heads: int = 4,
        num_slots: int = 0,
        num_nominal: int = 0,
    ) -> None:
        super().__init__()
        self.features = nn.Linear(num_features, channels)
        self.sensor_kind = nn.Embedding(num_sensor_kinds, 2 * channels)
        self.sensor_slot = nn.Embedding(num_slots, 2 * channels) if num_slots else None
        self.token = nn.Linear(channels, channels)
        self.pool = SetPool(channels, attention_heads)
        self.component_kind = nn.Embedding(num_component_kinds, channels)
        nn.init.normal_(self.sensor_kind.weight, std=0.2)
        nn.init.normal_(self.component_kind.weight, std=0.2)
        if self.sensor_slot is not None:
            nn.init.zeros_(self.sensor_slot.weight)
        self.nominal = nn.Linear(2 * num_nominal, channels, bias=False) if num_nominal else None

    def forward(
        self,
        sensor_features: Tensor,
        sensor_observed: Tensor,
        sensor_slot: Tensor,
        sensor_kind: Tensor,
        sensor_component: Tensor,
        component_kind: Tensor,
        component_nominal: Tensor,
        component_nominal_mask: Tensor,
    ) -> SensorEncoding:
        """Encode a batch, given as fields of `GraphInputs` with normalised features.

        Values at unobserved steps are never read, even if they are NaN.
        """
        features = sensor_features.masked_fill(~sensor_observed.unsqueeze(-1), 0.0)
        film: Tensor = self.sensor_kind(sensor_kind)
        if self.sensor_slot is not None:
            film = film + self.sensor_slot(sensor_slot)
        scale, shift = film.unsqueeze(1).chunk(2, dim=-1)
        hidden: Tensor = self.features(features)
        tokens: Tensor = self.token(F.silu(torch.addcmul(shift, hidden, 1 + scale)))
        component: Tensor = self.component_kind(component_kind)
        if self.nominal is not None:
            given = component_nominal_mask.to(component_nominal)
            values = torch.cat((component_nominal * given, given), dim=-1)
            component = component + self.nominal(values)
        pooled: Tensor
        observed: Tensor
        pooled, observed = self.pool(
            tokens, sensor_observed, sensor_component, component_kind.shape[0]
        )
        return SensorEncoding(pooled + component.unsqueeze(1), observed, component)
