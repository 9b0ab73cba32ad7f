"""What a network must offer to be trained, exported and served."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from pydantic import BaseModel
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.blocks.sensor_forecast import SensorResidual
from hydrascope.models.layers.arma import ARMAOutput
from hydrascope.schemas.task import HeadSpec


class NetworkOutput(NamedTuple):
    """What a network says of a batch."""

    heads: dict[str, Tensor]
    """A head's name → [G, size] (machine level) or [N, size] (component level), not decoded."""
    arma: ARMAOutput | None
    """Next-step forecast of each component's state, for the forecasting loss, if there is one."""
    embedding: Tensor | None = None
    """[G, C]; what the network makes of each machine, for a readout that compares machines."""
    states: Tensor | None = None
    """[N, T, C]; what is known of each component after each step, causal; `normality` needs it."""
    residual: SensorResidual | None = None
    """What the forecast of `normality` missed; the diagnoser fills it in."""


class Network(nn.Module, ABC):
    """Base of all networks; `model._target_` in a config names a subclass.

    Attributes:
        Config: Keys of `conf/model/<name>.yaml` beside `_target_`, with their ranges.
        state_channels: C of `NetworkOutput.states`; None where there are none.
    """

    Config: ClassVar[type[BaseModel]]
    state_channels: int | None = None

    @abstractmethod
    def __init__(self, config: BaseModel, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        """Build fresh weights for inputs as `spec` describes them and outputs as `heads` do."""
        super().__init__()

    @abstractmethod
    def forward(self, inputs: GraphInputs) -> NetworkOutput:
        """Answer a batch whose features are normalised."""
