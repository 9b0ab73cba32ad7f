"""Bring features to a common scale, by the statistics of the training windows."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from hydrascope.features.config import Method
from hydrascope.features.statistics import Extremes, Moments, Quartiles, Statistics, per_feature

_STATISTICS: Mapping[Method, type[Statistics]] = {
    "standardize": Moments,
    "minmax": Extremes,
    "robust": Quartiles,
}


class FeatureNormalizer(nn.Module):
    """z = (x − center) / scale, one row of statistics per slot and feature.

    | method | center | scale |
    |---|---|---|
    | standardize | mean | standard deviation |
    | minmax | minimum | maximum − minimum |
    | robust | median | interquartile range, deaf to a few faulty windows |
    | none | 0 | 1, and z is not clipped |

    With `per_step` each step has its own row too: where a window is aligned with a repeating load
    cycle, what a fault changes is small beside what the cycle does, and would drown in a common
    variance.

    Args:
        slots: Rows of the (topology, sensor) table; 1 for features of whole machines.
        steps: T.
        features: F.
        per_step: See above.
        clip: z is limited to ± this.
        method: See above.
    """

    center: Tensor
    scale: Tensor

    def __init__(
        self,
        slots: int,
        steps: int,
        features: int,
        per_step: bool,
        clip: float,
        method: Method = "standardize",
    ) -> None:
        super().__init__()
        self.per_step, self.clip, self.method = per_step, clip, method
        shape = (slots, steps if per_step else 1, features)
        self.register_buffer("center", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    def statistics(self, rows: int | None = None) -> Statistics | None:
        """Return empty statistics of this normaliser's method and shape, for a worker to fill.

        None where the method needs none. `rows` stands in for the number of slots.
        """
        if self.method == "none":
            return None
        slots, steps, features = self.center.shape
        return _STATISTICS[self.method]((rows or slots, steps, features))

    @torch.no_grad()
    def adopt(self, statistics: Statistics, groups: Tensor | None = None) -> None:
        """Normalise by these statistics from now on, those of its group for each slot if given."""
        center, scale = statistics.center_and_scale()
        if groups is not None:
            center, scale = center[groups], scale[groups]
        # A feature that did not vary in training (rounding aside) is centred, not blown up.
        scale = torch.where(scale > 1e-6 * (1.0 + center.abs()), scale, 1.0)
        self.center.copy_(center)
        self.scale.copy_(scale)

    @torch.no_grad()
    def fit(
        self, parts: Iterable[tuple[Tensor, Tensor, Tensor]], groups: Tensor | None = None
    ) -> None:
        """Gather statistics from training windows in one pass, and adopt them.

        A row that was never observed keeps center 0 and scale 1.

        Args:
            parts: Some windows of one machine each, in any number and order: slots [S] int64,
                features [W, S, T, F] and observed [W, S, T] or [W, S, T, F] bool. Machines that
                share slots share statistics.
            groups: [slots] int64; slots of one group share statistics too, those that training has
                not shown among them. None: each slot has its own.
        """
        statistics = self.statistics(None if groups is None else int(groups.max()) + 1)
        if statistics is not None:
            for slot, features, observed in parts:
                statistics.update(slot if groups is None else groups[slot], features, observed)
            self.adopt(statistics, groups)

    def forward(self, features: Tensor, observed: Tensor, slot: Tensor) -> Tensor:
        """Normalise [S, T, F]; what is not observed becomes 0 and stays masked.

        `observed` is [S, T] or [S, T, F] bool.
        """
        z = (features - self.center[slot]) / self.scale[slot]
        if self.method != "none":
            z = z.clamp(-self.clip, self.clip)
        return torch.where(per_feature(observed, features), z, 0.0)
