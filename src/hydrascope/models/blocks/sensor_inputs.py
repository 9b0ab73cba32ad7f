"""The network's inputs: whitened features and their difference from the healthy state."""

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
    """Prepares the normalised features of a batch.

    The features and their difference from the machine's reference windows are whitened separately,
    because the difference varies far less. A sensor is whitened by its own statistics or, without
    identity, by those of its kind, which exist for unknown builds too.

    Shapes: S sensors, T steps, F features.

    Args:
        config: The configuration of the network.
        spec: The description of the inputs.

    Attributes:
        width: The number of values per sensor and step: F, or 2 F with the differences beside.
    """

    def __init__(self, config: NetworkConfig, spec: InputSpec) -> None:
        super().__init__()
        self.identity, self.noise = config.sensor_identity, config.input_noise
        references = config.references
        features = len(spec.feature_names)
        rows = len(spec.sensor_slots if self.identity else spec.sensor_kinds)
        make = partial(SensorWhitening, rows, spec.steps, features, config.step_identity)
        self.own = make() if references != "alone" else None
        self.change = make() if references != "none" else None
        self.width = features * sum(each is not None for each in (self.own, self.change))

    def fit(self, windows: Windows) -> None:
        """Fit the whitening to the training windows."""
        for whitening, changed in ((self.own, False), (self.change, True)):
            if whitening is not None:
                whitening.fit(partial(self._read, windows, changed=changed))

    def observed(self, inputs: GraphInputs) -> Tensor:
        """Return which steps of each sensor are read, [S, T] bool."""
        return inputs.sensor_observed if self.own is not None else _both(inputs)

    def forward(self, inputs: GraphInputs) -> Tensor:
        """Return the inputs [S, T, width]; 0 if unobserved. Differences also need a reference."""
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
        """Yield the windows as one of the whitenings reads them."""
        for inputs, group in windows():
            read = inputs._replace(sensor_slot=self._row(inputs))
            if changed:
                read = read._replace(sensor_features=_change(inputs), sensor_observed=_both(inputs))
            yield GroupedInputs(read, group)


def _change(inputs: GraphInputs) -> Tensor:
    """Return the difference from the reference windows, [S, T, F]."""
    return inputs.sensor_features - inputs.sensor_reference


def _both(inputs: GraphInputs) -> Tensor:
    return inputs.sensor_observed & inputs.sensor_reference_mask
