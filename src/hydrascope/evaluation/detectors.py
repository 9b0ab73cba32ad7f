"""Classical anomaly detectors, with the same windows, features and threshold rule.

Each reads the features of all sensors and steps as one long row, normalised by the training
statistics. It learns from the same training windows. Its threshold is set on the same held-out
windows, for the same false-alarm rate, and its scores are judged over the same runs.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest

from hydrascope.data.cross_parts import held_out_parts
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.interval_units import run_units
from hydrascope.evaluation.baselines import check_comparable, window_features
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.schemas.normality import NormalitySpec
from hydrascope.tasks.alarm_thresholds import THRESHOLDS
from hydrascope.tasks.score_runs import over_runs

Floats = NDArray[np.float64]
Score = Callable[[Floats], Floats]

_EXPLAINED = 0.9
"""The share of the variance that the principal components explain."""


def _pca(train: Floats) -> PCA:
    return PCA(_EXPLAINED, svd_solver="full").fit(train)


def _t2(train: Floats, _seed: int) -> Score:
    """Fit Hotelling's T² within the principal components."""
    pca = _pca(train)
    return lambda rows: (pca.transform(rows) ** 2 / pca.explained_variance_).sum(1)


def _spe(train: Floats, _seed: int) -> Score:
    """Fit the squared prediction error outside the principal components, the Q statistic."""
    pca = _pca(train)
    return lambda rows: ((rows - pca.inverse_transform(pca.transform(rows))) ** 2).sum(1)


def _mahalanobis(train: Floats, _seed: int) -> Score:
    """Fit the squared Mahalanobis distance, with covariance shrunk as in Ledoit & Wolf (2004)."""
    return LedoitWolf().fit(train).mahalanobis  # type: ignore[no-any-return]


def _isolation(train: Floats, seed: int) -> Score:
    forest = IsolationForest(n_estimators=300, random_state=seed).fit(train)
    return lambda rows: -forest.score_samples(rows)


DETECTORS: Mapping[str, Callable[[Floats, int], Score]] = {
    "Mahalanobis": _mahalanobis,
    "PCA T²": _t2,
    "PCA SPE": _spe,
    "isolation forest": _isolation,
}


def detector_scores(
    name: str,
    data: HydraulicDataModule,
    normalizer: FeatureNormalizer,
    spec: NormalitySpec,
    windows: NDArray[np.int64],
    seed: int,
) -> NDArray[np.float64]:
    """Fit one of `DETECTORS` and return its scores for `windows`; a score above 1 is an alarm.

    The threshold is subtracted, not divided by, because some detectors have negative scores.

    Raises:
        SpecError: The machines differ in build, so that a row has no fixed meaning.
    """
    check_comparable(data.dataset.machines)
    rows = window_features(data.dataset.machines, normalizer).flatten(1).double().numpy()

    def judged(scores: Floats, at: NDArray[np.int64]) -> Floats:
        units = run_units(data.unit, data.units)[at]
        return over_runs(scores, data.table.iloc[at], units, data.window.stride_s, spec)

    parts = held_out_parts(data, spec)
    found = [DETECTORS[name](rows[part.train], seed)(rows[part.rows]) for part in parts]
    held_out = np.concatenate([part.rows for part in parts])
    order = np.argsort(held_out)
    held_out, scores = held_out[order], np.concatenate(found)[order]
    rule = THRESHOLDS[spec.threshold]
    threshold = rule(judged(scores, held_out), spec.false_alarm_rate, data.units[held_out])
    score = DETECTORS[name](rows[parts[0].train], seed)
    return judged(score(rows[windows]), windows) - threshold + 1.0
