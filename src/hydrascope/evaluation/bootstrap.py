"""Intervals of metrics by resampling what a split keeps together: conditions, machines, windows.

Windows of one condition are alike; resampled by windows an interval would be far too narrow. So
whole units are drawn, with all their windows (the cluster bootstrap; A. Davison, D. Hinkley,
"Bootstrap Methods and their Application", 1997, section 3.8).

Shapes: B draws, U units, R rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Interval = list[float]
"""Low and high."""

DRAWS, SEED, LEVEL = 2000, 0, 0.95
FEW_UNITS = 10
"""Below so many units an interval is a rough guess, and a report says so."""
_CELLS = 4_000_000
"""Numbers held at once while ranking metrics are drawn."""


@dataclass(frozen=True)
class Bootstrap:
    """Draws of units with replacement, the same for all that is compared.

    Attributes:
        unit: What the units are, in the plural.
        units: [W] number of the unit of every window of the window table.
        among: The units that are drawn from, ascending.
        draws: B.
        seed: Of the draws.
    """

    unit: str
    units: NDArray[np.int64]
    among: NDArray[np.int64]
    draws: int = DRAWS
    seed: int = SEED
    _weights: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        size, random = len(self.among), np.random.default_rng(self.seed)
        drawn = random.multinomial(size, np.full(size, 1.0 / size), size=self.draws)
        object.__setattr__(self, "_weights", drawn.astype(np.float32))

    @classmethod
    def of(cls, unit: str, units: NDArray[np.int64], windows: NDArray[np.int64]) -> "Bootstrap":
        """Draw from the units that `windows` belong to."""
        return cls(unit, units, np.unique(units[windows]))

    def place(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the position of each window's unit among those drawn from, [R]."""
        return np.searchsorted(self.among, self.units[windows])

    def of_sums(
        self,
        row_sums: Array,
        windows: NDArray[np.int64],
        metrics: Callable[[Array], Mapping[str, Array]],
    ) -> dict[str, Array]:
        """Return each metric in each draw, [B].

        Args:
            row_sums: [R, K] what each row adds.
            windows: [R] rows' windows.
            metrics: From sums [B, K].
        """
        by_unit = np.zeros((len(self.among), row_sums.shape[1]))
        np.add.at(by_unit, self.place(windows), row_sums)
        return dict(metrics(self._weights @ by_unit))

    def of_rows(self, windows: NDArray[np.int64], metric: Callable[[Array], Array]) -> Array:
        """Return a metric in each draw, [B]; for metrics that are no functions of sums.

        Args:
            windows: [R] rows' windows.
            metric: From weights of rows, [b, R] for some b draws.
        """
        place = self.place(windows)
        step = max(1, _CELLS // max(1, len(windows)))
        parts = [
            metric(self._weights[first : first + step][:, place].astype(np.float64))
            for first in range(0, self.draws, step)
        ]
        return np.concatenate(parts)

    def interval(self, values: Array) -> Interval | None:
        """Return the percentile interval of `LEVEL`; None of fewer than two units, or of NaN."""
        known = values[np.isfinite(values)]
        if len(self.among) < 2 or not len(known):
            return None
        low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return [float(low), float(high)]

    def record(self) -> dict[str, object]:
        """Say for a report how intervals came about."""
        return {
            "unit": self.unit,
            "units": len(self.among),
            "draws": self.draws,
            "seed": self.seed,
            "level": LEVEL,
        }


def average_precision(score: Array, present: NDArray[np.bool_], weights: Array) -> Array:
    """Return the area under precision over recall, Σ (Rₖ − Rₖ₋₁) Pₖ, of each weighing, [B].

    NaN where nothing is present.

    Args:
        score: [R]; equal ones are one threshold.
        present: [R].
        weights: [B, R].
    """
    order, last = _by_falling_score(score)
    hits = np.cumsum(weights[:, order] * present[order], axis=1)[:, last]
    all_said = np.cumsum(weights[:, order], axis=1)[:, last]
    total = hits[:, -1:]
    gained = np.diff(hits, axis=1, prepend=0.0)
    precision = hits / np.maximum(all_said, 1e-12)
    area: Array = (gained * precision).sum(1) / np.where(total > 0, total, np.nan)[:, 0]
    return area


def auroc(score: Array, present: NDArray[np.bool_], weights: Array) -> Array:
    """Return the share of pairs ranked rightly, ties counting half, of each weighing, [B].

    NaN where either side is empty. Arguments as `average_precision`.
    """
    order, last = _by_falling_score(score)
    hits = np.cumsum(weights[:, order] * present[order], axis=1)[:, last]
    alarms = np.cumsum(weights[:, order] * ~present[order], axis=1)[:, last]
    before = np.concatenate([np.zeros_like(hits[:, :1]), hits[:, :-1]], axis=1)
    area = (np.diff(alarms, axis=1, prepend=0.0) * (hits + before) / 2).sum(1)
    pairs = hits[:, -1] * alarms[:, -1]
    share: Array = area / np.where(pairs > 0, pairs, np.nan)
    return share


def _by_falling_score(score: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order by falling score, and the last place of each distinct one in it."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    return order, last
