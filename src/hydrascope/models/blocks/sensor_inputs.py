"""What the network reads of each sensor: whitened, and beside the machine's own sound state."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import GroupedInputs
from hydrascope.models.blocks.sensor_whitening import SensorWhitening
from hydrascope.models.config import NetworkConfig

Windows = Callable[[], Iterable[GroupedInputs]]


class SensorInputs(nn.Module):
    """Prepare the normalised features of a batch.

    Features are whitened as they are, and what differs from the machine's reference windows by
    itself, because it varies less by far. A sensor is whitened by statistics of its own, or without
    identity by those of its kind, which machines of unknown builds have too.

    Shapes: S sensors, T steps, F features.

    Args:
        config: Of the network.
        spec: Of the inputs.
        heads: Whether the network has heads; without any it reads neither noise nor references.

    Attributes:
        width: Numbers of a sensor and step: F, or beside each other 2 F.
    """

    def __init__(self, config: NetworkConfig, spec: InputSpec, *, heads: bool) -> None:
        super().__init__()
        self.identity, self.noise = config.sensor_identity, config.input_noise if heads else 0.0
        references = config.references if heads else "none"
        features = len(spec.feature_names)
        rows = len(spec.sensor_slots if self.identity else spec.sensor_kinds)
        make = partial(SensorWhitening, rows, spec.steps, features, config.step_identity)
        self.own = make() if references != "alone" else None
        self.change = make() if references != "none" else None
        self.width = features * sum(each is not None for each in (self.own, self.change))

    def fit(self, windows: Windows) -> None:
        """Fit the whitening to training windows."""
        for whitening, changed in ((self.own, False), (self.change, True)):
            if whitening is not None:
                whitening.fit(partial(self._read, windows, changed=changed))

    def observed(self, inputs: GraphInputs) -> Tensor:
        """Return which steps of which sensors have something to read, [S, T] bool."""
        return inputs.sensor_observed if self.own is not None else _both(inputs)

    def forward(self, inputs: GraphInputs) -> Tensor:
        """Return [S, T, width]; 0 where not observed, and where there is no reference."""
        row = self._row(inputs)
        parts: list[Tensor] = []
        if self.own is not None:
            parts.append(self.own(inputs.sensor_features, inputs.sensor_observed, row))
        if self.change is not None:
            parts.append(self.change(_change(inputs), _both(inputs), row))
        if self.training and self.noise:
            known = inputs.sensor_observed.unsqueeze(-1)
            parts = [each + self.noise * torch.randn_like(each) * known for each in parts]
        return torch.cat(parts, dim=-1)

    def _row(self, inputs: GraphInputs) -> Tensor:
        return inputs.sensor_slot if self.identity else inputs.sensor_kind

    def _read(self, windows: Windows, *, changed: bool) -> Iterator[GroupedInputs]:
        """Yield windows as one of the tables of statistics is to know them."""
        for inputs, group in windows():
            read = inputs._replace(sensor_slot=self._row(inputs))
            if changed:
                read = read._replace(sensor_features=_change(inputs), sensor_observed=_both(inputs))
            yield GroupedInputs(read, group)


def _change(inputs: GraphInputs) -> Tensor:
    """Return what differs from the reference windows, [S, T, F]."""
    return inputs.sensor_features - inputs.sensor_reference


def _both(inputs: GraphInputs) -> Tensor:
    return inputs.sensor_observed & inputs.sensor_reference_mask
