"""Normalisation of features by the statistics of the training windows."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from hydrascope.features.config import Method, NormaliseBy
from hydrascope.features.statistics import Extremes, Moments, Quartiles, Statistics, per_feature
from hydrascope.schemas.arguments import checked

_STATISTICS: Mapping[Method, type[Statistics]] = {
    "standardize": Moments,
    "minmax": Extremes,
    "robust": Quartiles,
}


class FeatureNormalizer(nn.Module):
    """Normalises features: z = (x − center) / scale, with statistics per row and feature.

    | method | center | scale |
    |---|---|---|
    | standardize | mean | standard deviation |
    | minmax | minimum | maximum − minimum |
    | robust | median | interquartile range, insensitive to a few faulty windows |
    | none | 0 | 1, and z is not clipped |

    With `per_step`, each step has its own statistics. In windows aligned with a repeating load
    cycle, the effect of a fault is small compared to the cycle, and a common variance would hide
    it.

    Args:
        rows: Number of sensor slots or kinds, according to `by`; 1 for features of machines.
        steps: Number T of steps.
        features: Number F of features.
        per_step: Whether each step has its own statistics.
        clip: Limit (±) of z.
        method: Method of the table.
        by: Whether statistics are per sensor of a known build, or per kind of sensor, which also
            suits machines that were not in the training. By machine, they are per sensor, of the
            differences to the reference of the same machine; see `centred`.
    """

    center: Tensor
    scale: Tensor

    @checked
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
        """Whether it suits unknown builds, since it has no statistics of single sensors."""
        return self.method == "none" or self.by == "kind"

    def row(self, slot: Tensor, kind: Tensor) -> Tensor:
        """Return the row of each sensor, which is its kind or its slot."""
        return kind if self.by == "kind" else slot

    def centred(
        self, features: Tensor, observed: Tensor, reference: Tensor, known: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return features relative to their machine's reference, if normalised by machine.

        A sensor without a reference then counts as unobserved.

        Args:
            features: [..., S, T, F].
            observed: [..., S, T].
            reference: [S, T, F], as in `graphs.fields.SensorReference`.
            known: [S, T]; where there is a reference.
        """
        if self.by != "machine":
            return features, observed
        return features - reference, observed & known

    def statistics(self) -> Statistics | None:
        """Return empty statistics for a worker to fill, or None if the method needs none."""
        if self.method == "none":
            return None
        rows, steps, features = self.center.shape
        return _STATISTICS[self.method]((rows, steps, features))

    @torch.no_grad()
    def adopt(self, statistics: Statistics) -> None:
        """Set the statistics to normalise by."""
        center, scale = statistics.center_and_scale()
        # A feature that was constant in training, up to rounding, is centred but not scaled.
        scale = torch.where(scale > 1e-6 * (1.0 + center.abs()), scale, 1.0)
        self.center.copy_(center)
        self.scale.copy_(scale)

    @torch.no_grad()
    def fit(self, parts: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Compute the statistics of training windows in one pass and adopt them.

        A row that was never observed keeps center 0 and scale 1.

        Args:
            parts: Parts of single machines in any order: rows [S] int64, features [W, S, T, F] and
                observed [W, S, T] or [W, S, T, F] bool. Machines can share rows.
        """
        statistics = self.statistics()
        if statistics is not None:
            for row, features, observed in parts:
                statistics.update(row, features, observed)
            self.adopt(statistics)

    def forward(self, features: Tensor, observed: Tensor, row: Tensor) -> Tensor:
        """Normalise [S, T, F]; `observed` is [S, T] or [S, T, F], and other values become 0."""
        z = features
        if self.method != "none":
            z = (features - self.center[row]) / self.scale[row]
            z = z.clamp(-self.clip, self.clip)
        return torch.where(per_feature(observed, features), z, 0.0)
