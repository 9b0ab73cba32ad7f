"""References of a machine's sensors, computed here for both data set and service.

Shapes: W windows, S sensors, T steps, F features.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from hydrascope.graphs.fields import SensorReference


@torch.no_grad()
def mean_reference(
    parts: Iterable[Sequence[Tensor]], shape: Sequence[int], *, per_step: bool
) -> SensorReference:
    """Return the mean features of each sensor over a machine's reference windows.

    The means are over observed sub-windows, and over the steps unless `per_step`. Sums are in
    double precision.

    Args:
        parts: Parts of the windows, as features [W, S, T, F] and masks [W, S, T].
        shape: S, T, F.
        per_step: Whether each step has its own reference, as in the normalisation.
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
