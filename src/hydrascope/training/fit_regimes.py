"""The fit of operating regimes to the settings of the training windows."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.data.windows import EQUIPMENT
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.features.regime_spec import RegimeSpec
from hydrascope.schemas.errors import SpecError, closest

_PATH = "data.normalise.regimes"
_STARTS = 10
"""The number of random starts of k-means; the best is kept."""


@torch.no_grad()
def fit_regimes(normalizer: FeatureNormalizer, data: HydraulicDataModule, spec: RegimeSpec) -> None:
    """Set the regimes' centres; call it before the normaliser is fitted.

    Windows in which a setting is not observed do not count, nor do those without the label.

    Raises:
        SpecError: There is no such label column, or there are fewer or more regimes than stated.
    """
    regimes, parts = normalizer.regimes, []
    assert regimes is not None
    for machine, rows in data.dataset.locate(data.split.train):
        slot = machine.layout.sensor_slot
        for features, observed in machine.parts((SENSOR_FEATURES, SENSOR_OBSERVED), rows):
            parts.append(regimes.settings(*normalizer.flat(features, observed, slot)).numpy())
    settings = np.concatenate(parts)
    known = ~np.isnan(settings).any(1)
    scale = settings[known].std(0) if known.any() else np.ones(settings.shape[1])
    scale = np.where(scale > 0, scale, 1.0)
    if spec.label is None:
        center = _clustered(settings[known] / scale, spec.number) * scale
    else:
        label = _label(data.table, spec.label).iloc[data.split.train[known]]
        center = _labelled(settings[known], label, spec.number)
    regimes.center.copy_(torch.tensor(center))
    regimes.scale.copy_(torch.tensor(scale))


def _clustered(scaled: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """Return the centres of k-means, [K, D], in a fixed order."""
    if (distinct := len(np.unique(scaled, axis=0))) < number:
        raise SpecError(
            f"{number} regimes of {distinct} different settings in {len(scaled)} training windows; "
            "accepted: as many regimes as settings, or fewer",
            path=f"{_PATH}.number",
        )
    found = KMeans(number, n_init=_STARTS, random_state=0).fit(scaled).cluster_centers_
    ordered: NDArray[np.float64] = found[np.lexsort(found.T[::-1])]
    return ordered


def _label(table: pd.DataFrame, name: str) -> pd.Series:
    labels = [str(column) for column in table.columns if column not in (EQUIPMENT, "start")]
    if name not in labels:
        raise SpecError(
            f"{name!r} is no label column; accepted: {', '.join(labels) or 'null'}"
            + closest(name, labels),
            path=f"{_PATH}.label",
        )
    return table[name]


def _labelled(settings: NDArray[np.float64], label: pd.Series, number: int) -> NDArray[np.float64]:
    """Return the mean settings of each value of a label, [K, D], in the order of the values."""
    means = pd.DataFrame(settings).groupby(label.to_numpy()).mean()
    if len(means) != number:
        named = ", ".join(map(str, means.index[:20])) or "none"
        raise SpecError(
            f"{number}, but {label.name!r} has {len(means)} values in the training windows: "
            f"{named}; accepted: {len(means)}",
            path=f"{_PATH}.number",
        )
    return means.to_numpy()
