"""What a machine's sensors said in its reference windows: computed here for data set and service.

Shapes: W windows, S sensors, T steps, F features.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from hydrascope.graphs.fields import SensorReference


@torch.no_grad()
def mean_reference(
    parts: Iterable[tuple[Tensor, Tensor]],
    shape: tuple[int, int, int],
    *,
    per_step: bool,
) -> SensorReference:
    """Return the means of the features of each sensor over a machine's reference windows.

    Over what is observed in them, and over the steps too unless `per_step`. Summed in double
    precision.

    Args:
        parts: Features [W, S, T, F] and observed [W, S, T] of some windows at a time.
        shape: S, T, F.
        per_step: Whether each step has a reference of its own, as the normalisation has.
    """
    sensors, steps, features = shape
    axes = (0,) if per_step else (0, 2)
    total = torch.zeros(sensors, steps if per_step else 1, features, dtype=torch.float64)
    count = torch.zeros_like(total[..., :1])
    for x, observed in parts:
        seen = observed.unsqueeze(-1)
        total += torch.where(seen, x, 0.0).sum(axes, dtype=torch.float64).reshape(total.shape)
        count += seen.sum(axes).reshape(count.shape)
    mean = (total / count.clamp(min=1.0)).float()
    known = count.squeeze(-1) > 0
    return SensorReference(
        mean.expand(shape).contiguous(),
        known.expand(sensors, steps).contiguous(),
    )
