"""Two rigs, one of which is known to have been sound at first, and a network that reads that."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict
from torch import nn
from two_builds import TwoBuilds

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import Network, NetworkOutput
from hydrascope.models.layers.segment import segment_mean
from hydrascope.schemas import HeadLevel, HeadSpec

SOUND_WINDOWS = 60


class SoundRigs(TwoBuilds):
    """The first windows of `zema` are labelled `sound`; of `lean` nobody knows."""

    def labels(self, equipment_id: str) -> pd.DataFrame:
        """Return the rig's, with one more."""
        labels = super().labels(equipment_id)
        sound = (np.arange(len(labels)) < SOUND_WINDOWS) & (equipment_id == "zema")
        return labels.assign(sound=sound.astype(float))


class _Keys(BaseModel):
    model_config = ConfigDict(extra="ignore")


class ReferenceReader(Network):
    """Reads how far each sensor is from its reference, and the nominal values."""

    Config = _Keys

    def __init__(self, config: _Keys, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__(config, spec, heads)
        self._heads = tuple(heads)
        width = len(spec.feature_names) + len(spec.nominal_names)
        self.out = nn.ModuleList(nn.Linear(width, head.size) for head in heads)

    def forward(self, inputs: GraphInputs) -> NetworkOutput:
        """Answer from means over each component's sensors, and over each machine's components."""
        both = inputs.sensor_observed & inputs.sensor_reference_mask
        away = (inputs.sensor_features - inputs.sensor_reference) * both.unsqueeze(-1)
        components, graphs = inputs.component_kind.shape[0], inputs.graph_id.shape[0]
        felt = segment_mean(away.mean(1), inputs.sensor_component, components)
        own = torch.cat((felt, inputs.component_nominal), dim=1)
        machine = segment_mean(own, inputs.component_graph, graphs)
        by_level = {HeadLevel.COMPONENT: own, HeadLevel.MACHINE: machine}
        answers = {
            head.name: layer(by_level[head.level])
            for head, layer in zip(self._heads, self.out, strict=True)
        }
        return NetworkOutput(answers, arma=None)
