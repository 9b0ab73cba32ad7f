"""Normalisation of features by the statistics of the training windows."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from hydrascope.features.config import Method, NormaliseBy
from hydrascope.features.regimes import Regimes
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

    With `regimes`, each operating regime has its own statistics, behind those of all windows. The
    latter serve windows whose settings are not observed, and sensors that training never observed
    in a regime.

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
        regimes: Operating regimes with statistics of their own; None: none.
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
        regimes: Regimes | None = None,
    ) -> None:
        super().__init__()
        self.per_step, self.clip, self.method, self.by = per_step, clip, method, by
        self.rows, self.regimes = rows, regimes
        blocks = 1 if regimes is None else 1 + regimes.number
        shape = (rows * blocks, steps if per_step else 1, features)
        self.register_buffer("center", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    @property
    def of_any_build(self) -> bool:
        """Whether it suits unknown builds, since it has no statistics of single sensors."""
        return self.method == "none" or (self.by == "kind" and self.regimes is None)

    def row(self, slot: Tensor, kind: Tensor) -> Tensor:
        """Return the row of each sensor in all windows, which is its kind or its slot."""
        return kind if self.by == "kind" else slot

    def regime_row(self, row: Tensor, flat: tuple[Tensor, Tensor, Tensor, Tensor, int]) -> Tensor:
        """Return the row of each sensor in the regime of its window, [S].

        Args:
            row: Output of `row`, [S].
            flat: Arguments of `Regimes`: features that are not normalised [S, T, F], observed
                [S, T], slots [S], graphs [S] and the number of graphs.
        """
        if self.regimes is None:
            return row
        *_, graph, _ = flat
        regime: Tensor = self.regimes(*flat)
        return row + self.rows * (1 + regime[graph])

    @staticmethod
    def flat(
        features: Tensor, observed: Tensor, slot: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
        """Return the argument `flat` of `regime_row` for windows [W, S, T, F] of one machine."""
        windows, sensors = features.shape[:2]
        graph = torch.arange(windows).repeat_interleave(sensors)
        return features.flatten(0, 1), observed.flatten(0, 1), slot.repeat(windows), graph, windows

    def parts(
        self,
        place: tuple[Tensor, Tensor],
        features: Tensor,
        observed: Tensor,
        reference: tuple[Tensor, Tensor],
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield windows of one machine for `fit`: all of them, then those of each regime.

        Args:
            place: Slot and kind of each sensor, [S] each.
            features: [W, S, T, F].
            observed: [W, S, T].
            reference: Further arguments of `centred`.
        """
        row, (relative, seen) = self.row(*place), self.centred(features, observed, *reference)
        yield row, relative, seen
        if self.regimes is not None:
            regime: Tensor = self.regimes(*self.flat(features, observed, place[0]))
            for number in range(self.regimes.number):
                chosen = regime == number
                yield row + self.rows * (1 + number), relative[chosen], seen[chosen]

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

        A row that was never observed keeps center 0 and scale 1. A row of a regime then has the
        statistics of all windows.

        Args:
            parts: Parts of single machines in any order: rows [S] int64, features [W, S, T, F] and
                observed [W, S, T] or [W, S, T, F] bool. Machines can share rows.
        """
        statistics = self.statistics()
        if statistics is None:
            return
        seen = torch.zeros(len(self.center), dtype=torch.bool)
        for row, features, observed in parts:
            statistics.update(row, features, observed)
            seen[row[observed.transpose(0, 1).flatten(1).any(1)]] = True
        self.adopt(statistics)
        unseen = torch.arange(len(seen))[~seen]
        for tensor in (self.center, self.scale):
            tensor[unseen] = tensor[unseen % self.rows]

    def forward(self, features: Tensor, observed: Tensor, row: Tensor) -> Tensor:
        """Normalise [S, T, F]; `observed` is [S, T] or [S, T, F], and other values become 0."""
        z = features
        if self.method != "none":
            z = (features - self.center[row]) / self.scale[row]
            z = z.clamp(-self.clip, self.clip)
        return torch.where(per_feature(observed, features), z, 0.0)
