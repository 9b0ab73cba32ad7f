"""Bring features to a common scale, by the statistics of the training windows."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from hydrascope.features.config import Method, NormaliseBy
from hydrascope.features.statistics import Extremes, Moments, Quartiles, Statistics, per_feature

_STATISTICS: Mapping[Method, type[Statistics]] = {
    "standardize": Moments,
    "minmax": Extremes,
    "robust": Quartiles,
}


class FeatureNormalizer(nn.Module):
    """z = (x − center) / scale, one row of statistics per sensor or kind of sensor, and feature.

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
        rows: Slots of sensors or kinds of sensors, as `by` says; 1 for features of whole machines.
        steps: T.
        features: F.
        per_step: See above.
        clip: z is limited to ± this.
        method: See above.
        by: Whether each sensor of a known build has statistics of its own, or shares them with all
            of its kind, those of machines that training has not shown among them.
    """

    center: Tensor
    scale: Tensor

    def __init__(
        self,
        rows: int,
        steps: int,
        features: int,
        per_step: bool,
        clip: float,
        method: Method = "standardize",
        by: NormaliseBy = "sensor",
    ) -> None:
        super().__init__()
        self.per_step, self.clip, self.method, self.by = per_step, clip, method, by
        shape = (rows, steps if per_step else 1, features)
        self.register_buffer("center", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    @property
    def of_any_build(self) -> bool:
        """Whether it has no statistics of single sensors, so that it suits unknown builds."""
        return self.method == "none" or self.by == "kind"

    def row(self, slot: Tensor, kind: Tensor) -> Tensor:
        """Return which of each sensor's two numbers is its row here."""
        return kind if self.by == "kind" else slot

    def statistics(self) -> Statistics | None:
        """Return empty statistics of this normaliser's method and shape, for a worker to fill.

        None where the method needs none.
        """
        if self.method == "none":
            return None
        rows, steps, features = self.center.shape
        return _STATISTICS[self.method]((rows, steps, features))

    @torch.no_grad()
    def adopt(self, statistics: Statistics) -> None:
        """Normalise by these statistics from now on."""
        center, scale = statistics.center_and_scale()
        # A feature that did not vary in training (rounding aside) is centred, not blown up.
        scale = torch.where(scale > 1e-6 * (1.0 + center.abs()), scale, 1.0)
        self.center.copy_(center)
        self.scale.copy_(scale)

    @torch.no_grad()
    def fit(self, parts: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Gather statistics from training windows in one pass, and adopt them.

        A row that was never observed keeps center 0 and scale 1.

        Args:
            parts: Some windows of one machine each, in any number and order: rows [S] int64,
                features [W, S, T, F] and observed [W, S, T] or [W, S, T, F] bool. Machines that
                share rows share statistics.
        """
        statistics = self.statistics()
        if statistics is not None:
            for row, features, observed in parts:
                statistics.update(row, features, observed)
            self.adopt(statistics)

    def forward(self, features: Tensor, observed: Tensor, row: Tensor) -> Tensor:
        """Normalise [S, T, F]; what is not observed becomes 0 and stays masked.

        `observed` is [S, T] or [S, T, F] bool.
        """
        z = features
        if self.method != "none":
            z = (features - self.center[row]) / self.scale[row]
            z = z.clamp(-self.clip, self.clip)
        return torch.where(per_feature(observed, features), z, 0.0)
