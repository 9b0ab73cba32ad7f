"""Confidence intervals of metrics, by resampling the units that a split keeps together.

A unit is a condition, a machine or a window. Windows of one condition are similar, so resampling
single windows would make intervals far too narrow. Whole units are drawn with all their windows
(the cluster bootstrap; A. Davison, D. Hinkley, "Bootstrap Methods and their Application", 1997,
section 3.8).

Shapes: B draws, U units, R rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Interval = list[float]
"""The lower and the upper bound."""

DRAWS, SEED, LEVEL = 2000, 0, 0.95
FEW_UNITS = 10
"""The number of units below which an interval is only a rough guess; reports then say so."""
_CELLS = 4_000_000
"""The most weights held in memory while ranking metrics are computed."""


@dataclass(frozen=True)
class Bootstrap:
    """Draws of units with replacement, shared by all metrics that are compared.

    Attributes:
        unit: The name of the units, in the plural.
        units: [W] the unit number of every window of the window table.
        among: The units to draw from, ascending.
        draws: The number of draws, B.
        seed: The seed of the draws.
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
        """Create draws from the units of `windows`."""
        return cls(unit, units, np.unique(units[windows]))

    def place(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the position of each window's unit in `among`, [R]."""
        return np.searchsorted(self.among, self.units[windows])

    def of_sums(
        self,
        row_sums: Array,
        windows: NDArray[np.int64],
        metrics: Callable[[Array], Mapping[str, Array]],
    ) -> dict[str, Array]:
        """Return the value of each metric in each draw, [B].

        Args:
            row_sums: [R, K] each row's contribution to the sums.
            windows: [R] the window of each row.
            metrics: Computes the metrics from sums [B, K].
        """
        by_unit = np.zeros((len(self.among), row_sums.shape[1]))
        np.add.at(by_unit, self.place(windows), row_sums)
        return dict(metrics(self._weights @ by_unit))

    def of_rows(self, windows: NDArray[np.int64], metric: Callable[[Array], Array]) -> Array:
        """Return the value of a metric in each draw, [B], if it is no function of sums.

        Args:
            windows: [R] the window of each row.
            metric: Computes the metric from the weights of rows, [b, R] for b of the draws.
        """
        place = self.place(windows)
        step = max(1, _CELLS // max(1, len(windows)))
        parts = [
            metric(self._weights[first : first + step][:, place].astype(np.float64))
            for first in range(0, self.draws, step)
        ]
        return np.concatenate(parts)

    def share_interval(
        self, part: NDArray[Any], whole: NDArray[Any], windows: NDArray[np.int64]
    ) -> Interval | None:
        """Return the interval of Σ part / Σ whole over rows, [R] each, in these windows."""
        sums = np.stack([part, whole], axis=1).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):  # a draw may have a whole of 0
            drawn = self.of_sums(sums, windows, lambda s: {"share": s[:, 0] / s[:, 1]})
        return self.interval(drawn["share"])

    def interval(self, values: Array) -> Interval | None:
        """Return the percentile interval of `LEVEL`; None for fewer than two units or only NaN."""
        known = values[np.isfinite(values)]
        if len(self.among) < 2 or not len(known):
            return None
        low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return [float(low), float(high)]

    def record(self) -> dict[str, object]:
        """Describe for a report how the intervals were computed."""
        return {
            "unit": self.unit,
            "units": len(self.among),
            "draws": self.draws,
            "seed": self.seed,
            "level": LEVEL,
        }


def average_precision(score: Array, present: NDArray[np.bool_], weights: Array) -> Array:
    """Return the area under precision over recall, Σ (Rₖ − Rₖ₋₁) Pₖ, for each weighting, [B].

    The area is NaN if no row with a weight is present.

    Args:
        score: [R] scores; equal scores share a threshold.
        present: [R] whether the outcome is present.
        weights: [B, R] weights of the rows.
    """
    order, last = _by_falling_score(score)
    hits = np.cumsum(weights[:, order] * present[order], axis=1)[:, last]
    flagged = np.cumsum(weights[:, order], axis=1)[:, last]
    total = hits[:, -1:]
    gained = np.diff(hits, axis=1, prepend=0.0)
    precision = hits / np.maximum(flagged, 1e-12)
    area: Array = (gained * precision).sum(1) / np.where(total > 0, total, np.nan)[:, 0]
    return area


def auroc(score: Array, present: NDArray[np.bool_], weights: Array) -> Array:
    """Return the share of pairs ranked correctly, for each weighting, [B]; a tie counts half.

    The share is NaN if either class is empty. The arguments are those of `average_precision`.
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
    """Return the order by falling score, and the last position of each distinct score in it."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    return order, last
