"""What the network reads of each sensor: whitened, and beside the machine's own sound state."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.base import GroupedInputs
from hydrascope.models.blocks.sensor_whitening import SensorWhitening


class SensorInputs(nn.Module):
    """Prepare the normalised features of a batch.

    Shapes: S sensors, T steps, F features, P places of sensors.

    Args:
        places: P of `SensorWhitening`; 0: features stay as they are normalised.
        steps: T.
        features: F.
        per_step: Of the whitening.
        noise: Deviation of the normal noise added in training.
        references: Whether what differs from the reference windows joins the features.

    Attributes:
        width: Numbers of a sensor and step: F, or with references 2 F.
    """

    def __init__(
        self,
        *,
        places: int,
        steps: int,
        features: int,
        per_step: bool,
        noise: float,
        references: bool,
    ) -> None:
        super().__init__()
        self.whitening: SensorWhitening | None = None
        if places:
            self.whitening = SensorWhitening(places, steps, features, per_step)
        self.noise, self.references = noise, references
        self.width = features * (1 + references)

    def fit(self, windows: Callable[[], Iterable[GroupedInputs]]) -> None:
        """Fit the whitening to training windows."""
        if self.whitening is not None:
            self.whitening.fit(windows)

    def forward(self, inputs: GraphInputs) -> Tensor:
        """Return [S, T, width]; 0 where not observed, and where there is no reference."""
        features = self._whitened(inputs.sensor_features, inputs.sensor_observed, inputs)
        known = inputs.sensor_observed.unsqueeze(-1)
        if self.training and self.noise:
            features = features + self.noise * torch.randn_like(features) * known
        if not self.references:
            return features
        sound = self._whitened(inputs.sensor_reference, inputs.sensor_reference_mask, inputs)
        both = known & inputs.sensor_reference_mask.unsqueeze(-1)
        return torch.cat((features, (features - sound).masked_fill(~both, 0.0)), dim=-1)

    def _whitened(self, features: Tensor, observed: Tensor, inputs: GraphInputs) -> Tensor:
        if self.whitening is None:
            return features.masked_fill(~observed.unsqueeze(-1), 0.0)
        whitened: Tensor = self.whitening(features, observed, inputs.sensor_slot)
        return whitened
