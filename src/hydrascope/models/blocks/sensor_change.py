"""Compares each sensor with its machine's reference windows, in units that all machines share.

Shapes: S sensors, T steps, F features.
"""

import torch
from torch import Tensor, nn

from hydrascope.features.levels import signed_log
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.sensor_roles import INTERVAL

_SMALL = 0.005
"""The share of a sensor's span above which ratios count rather than differences."""
_INTERVAL = 0.025
"""The unit of interval scales (such as °C) as a share of the span: 5 K for a usual range."""
_SHAPES = ("skewness", "kurtosis")
"""The features without a unit; all others have the unit of their sensor, or its logarithm."""


class SensorChange(nn.Module):
    """Compares the features of each sensor with those of the machine's reference windows.

        d = ℓ(x) − ℓ(r),   ℓ(v) = sgn v · ln(1 + |v| / 0.005 span)

    x are the means of a window's features over the observed steps, and r those of the reference
    windows. Both are in the sensor's own unit, so features must not be normalised before
    (`normalise.method: none`). A change by a given percentage yields the same d on a machine with
    60 bar and on one with 300 bar. Values near zero are measured against the sensor's span. For
    temperatures d is a plain difference.

    Args:
        spec: The description of the inputs.
    """

    interval: Tensor
    share: Tensor
    logarithm: Tensor
    shape: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        interval = torch.tensor([kind in INTERVAL for kind in spec.sensor_kinds])
        tables = {
            "interval": interval,
            "share": torch.where(interval, _INTERVAL, _SMALL),
            "logarithm": torch.tensor(["log" in name for name in spec.feature_names]),
            "shape": torch.tensor([name in _SHAPES for name in spec.feature_names]),
        }
        for name, table in tables.items():  # follow from the vocabulary: not stored
            self.register_buffer(name, table, persistent=False)

    def forward(self, inputs: GraphInputs) -> tuple[Tensor, Tensor]:
        """Return d [S, F], 0 where it is not known, and whether it is known [S] bool."""
        seen, reference_seen = inputs.sensor_observed, inputs.sensor_reference_mask
        x = _mean(inputs.sensor_features, seen)
        known = seen.any(dim=1) & reference_seen.any(dim=1)
        change = self._level(x, inputs) - self.reference(inputs)
        return change * known.unsqueeze(1), known

    def reference(self, inputs: GraphInputs) -> Tensor:
        """Return the levels of the reference windows ℓ(r), [S, F]."""
        r = _mean(inputs.sensor_reference, inputs.sensor_reference_mask)
        return self._level(r, inputs)

    def _level(self, x: Tensor, inputs: GraphInputs) -> Tensor:
        """Return ℓ(x) [S, F]; logarithms are kept, and features without a unit have no span."""
        kind = inputs.sensor_kind
        scaled = x / (self.share[kind] * inputs.sensor_span).unsqueeze(1)
        level = torch.where(self.interval[kind].unsqueeze(1), scaled, signed_log(scaled))
        level = torch.where(self.shape, signed_log(x), level)
        return torch.where(self.logarithm, x, level)


def _mean(values: Tensor, seen: Tensor) -> Tensor:
    """Return the mean over the observed steps: [S, T, F], [S, T] bool -> [S, F]."""
    total = (values * seen.unsqueeze(-1)).sum(1)
    return total / seen.sum(1, keepdim=True).clamp(min=1).to(values.dtype)
