"""Machines whose healthy scores differ more from each other than within themselves.

One threshold for all of a build then raises too many alarms on some machines and none on others.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.windows import EQUIPMENT
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.normality import MACHINE, NormalitySpec
from hydrascope.training.fit_normality import held_out_scores

_SIGNIFICANT = 0.01
_NAMED = 6
"""The most machines of a build that are named."""


def differing_machines(
    diagnoser: TensorDiagnoser, data: HydraulicDataModule, spec: NormalitySpec
) -> list[dict[str, Any]]:
    """Return a `spread` for each build whose machines differ, by their held-out scores."""
    assert diagnoser.normality is not None
    score, key, window = held_out_scores(diagnoser, data, spec.smoothing)[MACHINE]
    threshold = diagnoser.normality.thresholds()[MACHINE].double().numpy()
    table = pd.DataFrame(
        {"machine": data.table[EQUIPMENT].to_numpy()[window], "score": score / threshold[key]}
    )
    found = [
        spread(rows["machine"].to_numpy(), rows["score"].to_numpy())
        for _, rows in table.groupby(key)
    ]
    return [each for each in found if each is not None]


def spread(machine: NDArray[np.object_], score: NDArray[np.float64]) -> dict[str, Any] | None:
    """Return how far machines of one build differ; None if no more than within themselves.

    They differ if the variance between machines exceeds the variance within them (one-way analysis
    of variance: the variance of the machines' means, less what their windows alone explain), and an
    F-test rejects equal means at 1 %. Machines with fewer than two scores do not count.

    Args:
        machine: The machine of each window, [R].
        score: Its score as a multiple of the threshold, [R]; NaN: none.

    Returns:
        `between_sd` and `within_sd`: the standard deviations. `means`: machine → its mean score,
        from the lowest to the highest.
    """
    known = ~np.isnan(score)
    by_machine = pd.Series(score[known]).groupby(machine[known])
    of = by_machine.agg(["size", "mean", "var"])
    of = of[of["size"] > 1]
    size, mean = of["size"].to_numpy(float), of["mean"].to_numpy()
    if len(of) < 2:
        return None
    left = size.sum() - len(of)
    within = float((of["var"].to_numpy() * (size - 1)).sum() / left)
    grand = (size * mean).sum() / size.sum()
    with np.errstate(divide="ignore", invalid="ignore"):  # scores that never change
        ratio = np.divide((size * (mean - grand) ** 2).sum() / (len(of) - 1), within)
    between = float(mean.var(ddof=1) - within * (1 / size).mean())
    if between <= within or f_distribution.sf(ratio, len(of) - 1, left) > _SIGNIFICANT:
        return None
    ordered = of["mean"].sort_values()
    return {
        "between_sd": between**0.5,
        "within_sd": within**0.5,
        "means": {str(name): float(value) for name, value in ordered.items()},
    }


def spread_remarks(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a remark for each build whose machines differ."""
    return [
        f"Normality: {len(each['means'])} machines of a build differ more from each other than "
        f"within themselves (standard deviations {each['between_sd']:.2g} and "
        f"{each['within_sd']:.2g} of the threshold). Mean scores: {_named(each['means'])}. The "
        "false-alarm rate does not hold for each of them"
        for each in found
    ]


def _named(means: Mapping[str, float]) -> str:
    """Name the machines with their means; of many only the lowest and the highest."""
    shown = [f"{name} {mean:.2f}" for name, mean in means.items()]
    if len(shown) > _NAMED:
        shown = [*shown[: _NAMED // 2], "…", *shown[-_NAMED // 2 :]]
    return ", ".join(shown)
