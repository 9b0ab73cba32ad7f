"""Counts how often the right component of the test rig is blamed, by condition."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.schemas.normality import BLAME, COMPONENT, MACHINE

RULES = {"blame": BLAME, "score": COMPONENT}
"""The rankings of components: by the probability of blame, and as before by their own score."""
Counts = dict[str, dict[str, list[int]]]
"""Rule → condition → the detected faulty cycles, and those in which the right component is first,
and among the first two."""
_DRAWS = 2_000


class Located(NamedTuple):
    """Shares of detected cycles, each with its 95 % interval over conditions."""

    windows: int
    """The number of detected cycles, over all folds."""
    first: tuple[float, float, float]
    second: tuple[float, float, float]


def located(
    table: pd.DataFrame, data: HydraulicDataModule, faulty: NDArray[np.int64], component: str
) -> Counts:
    """Count how often a component is blamed first, and among the first two.

    Equal scores share their rank, and a component without a score is last.

    Args:
        table: Of `score_table`.
        data: The rig's data.
        faulty: The test cycles in which the component is faulty.
        component: The component.
    """
    alarms = table[(table["level"] == MACHINE) & table["window"].isin(faulty)]
    detected = alarms.loc[alarms["score"] > 1.0, "window"]
    condition = data.table["condition"].astype(str)
    counts: Counts = {}
    for rule, level in RULES.items():
        scores = table[(table["level"] == level) & table["window"].isin(detected)]
        by_window = scores.pivot_table(index="window", columns="id", values="score", dropna=False)
        by_window = by_window.reindex(detected).fillna(-np.inf)
        own = by_window.get(component, pd.Series(-np.inf, by_window.index))
        above = by_window.ge(own, axis=0).drop(columns=component, errors="ignore").sum(axis=1)
        above = above.where(own > -np.inf, len(data.machines["zema"].topology.components))
        found = pd.DataFrame({"windows": 1, "first": above < 1, "second": above < 2})
        sums = found.astype(int).groupby(condition.loc[found.index]).sum()
        counts[rule] = {str(name): row.tolist() for name, row in sums.iterrows()}
    return counts


def pooled(counts: Iterable[Mapping[str, Sequence[int]]]) -> Located:
    """Pool the counts of conditions over folds and components; conditions are resampled.

    Args:
        counts: Condition → its counts, of each fold and component. The same condition of several
            folds is one.
    """
    sums: dict[str, NDArray[np.float64]] = {}
    for each in counts:
        for condition, row in each.items():
            sums[condition] = sums.get(condition, np.zeros(3)) + np.asarray(row)
    rows = np.array(list(sums.values())).reshape(-1, 3)
    total = rows.sum(0)
    if not total[0]:
        return Located(0, (np.nan,) * 3, (np.nan,) * 3)
    drawn = np.random.default_rng(0).integers(len(rows), size=(_DRAWS, len(rows)))
    resampled = rows[drawn].sum(1)
    shares = resampled[:, 1:] / resampled[:, :1].clip(min=1)
    low, high = np.quantile(shares, (0.025, 0.975), axis=0)
    first, second = (
        (float(total[1 + n] / total[0]), float(low[n]), float(high[n])) for n in range(2)
    )
    return Located(int(total[0]), first, second)
