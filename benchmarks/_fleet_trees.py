"""Gradient-boosted trees on the windows of the fleet, and what a guess reaches."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from benchmarks._fleet_runs import Figures, open_data
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.evaluation.calibrate import best_threshold
from hydrascope.simulation.faults import Fault
from hydrascope.simulation.fleet_settings import KINDS

FAULTS = tuple(fault.value for fault in Fault)
REGRESSIONS = ("health", "remaining_life")
TREES = {
    "n_estimators": 100,
    "num_leaves": 15,
    "learning_rate": 0.1,
    "max_bin": 63,
    "colsample_bytree": 0.3,
    "random_state": 42,
    "n_jobs": 1,
    "verbose": -1,
}

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


def trees_of_kinds(data: HydraulicDataModule) -> Figures:
    """Return what trees reach, one model for each kind and target.

    They read each sensor's features, means over the steps, and what of these differs from the
    machine's reference windows. Anomalies are flagged from the probability that is best on the
    validation windows, by trees that are fitted without them.
    """
    truth = truth_of(data)
    answer = {name: np.full(len(data.table), np.nan) for name in truth}
    for features, rows in rows_by_kind(data):
        flat = features.reshape(len(rows), -1)
        learned = np.isin(rows, data.split.train)
        asked = np.isin(rows, np.concatenate([data.split.val, data.split.test]))
        for name, target in truth.items():
            said = fit_trees(flat[learned], target[rows[learned]], flat[asked], name in FAULTS)
            answer[name][rows[asked]] = said
    return scores(data, truth, flagged(data, truth, answer))


def kept_trees(kept: Path, *overrides: str) -> Figures:
    """Return `trees_of_kinds` of the data of a training, from a file where that has been done."""
    if not kept.exists():
        found = trees_of_kinds(open_data(*overrides))
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found), encoding="utf-8")
    return Figures(*json.loads(kept.read_text(encoding="utf-8")))


def mean_answer(data: HydraulicDataModule) -> Figures:
    """Return what the mean of the training windows reaches."""
    truth = truth_of(data)
    train = data.split.train
    answer = {name: np.full(len(known), known[train].mean()) for name, known in truth.items()}
    return scores(data, truth, answer)


def fit_trees(
    rows: NDArray[np.floating], target: Array, asked: NDArray[np.floating], probability: bool
) -> Array:
    """Return what trees that are fitted to rows say of others."""
    import lightgbm  # of the extra `bench`; what else is measured needs it not

    if len(np.unique(target)) < 2:
        return np.full(len(asked), float(target[0]))
    if probability:
        classifier = lightgbm.LGBMClassifier(**TREES).fit(rows, target)
        return np.asarray(classifier.predict_proba(asked)[:, 1], dtype=np.float64)
    return np.asarray(lightgbm.LGBMRegressor(**TREES).fit(rows, target).predict(asked), np.float64)


def flagged(
    data: HydraulicDataModule, truth: Mapping[str, Array], answer: Mapping[str, Array]
) -> dict[str, Array]:
    """Return answers with flags in place of probabilities, as far as there are faults among them.

    A fault is flagged from the probability that is best on the validation windows.
    """
    val, found = data.split.val, dict(answer)
    for name in FAULTS:
        threshold = best_threshold(answer[name][val], truth[name][val] == 1)
        found[name] = (answer[name] >= threshold).astype(np.float64)
    return found


def truth_of(data: HydraulicDataModule) -> dict[str, Array]:
    """Return what is true of each window."""
    return {name: data.table[name].to_numpy(np.float64) for name in (*FAULTS, *REGRESSIONS)}


def rows_by_kind(data: HydraulicDataModule) -> Iterator[tuple[NDArray[np.float32], Rows]]:
    """Yield of each kind the means of sensors' features, beside what differs from the references.

    Shapes: [W, sensors, 2 features], NaN where not observed; numbers of the windows.
    """
    for kind in KINDS:
        of_kind = (data.table["kind"] == kind).to_numpy()
        rows = np.flatnonzero(of_kind & ~data.reference)
        if len(rows):
            parts = []
            for machine, mine in data.dataset.locate(rows):
                features = machine.read(SENSOR_FEATURES, mine).numpy()
                seen = machine.read(SENSOR_OBSERVED, mine).numpy()[..., None]
                count = np.maximum(seen.sum(2), 1)
                mean = np.where(seen, features, 0.0).sum(2) / count
                mean = np.where(seen.any(2), mean, np.nan)
                assert machine.reference is not None
                reference = machine.reference.sensor_reference.numpy()[None, :, 0]
                parts.append(np.concatenate([mean, mean - reference], axis=2))
            yield np.concatenate(parts).astype(np.float32), rows


def scores(
    data: HydraulicDataModule, truth: Mapping[str, Array], answer: Mapping[str, Array]
) -> Figures:
    """Return macro-F1 of flags, and mean absolute errors, of test windows."""
    test = data.split.test
    f1 = [
        f1_score(truth[name][test], answer[name][test] > 0.5, zero_division=0.0) for name in FAULTS
    ]
    errors = [float(np.abs(truth[name] - answer[name])[test].mean()) for name in REGRESSIONS]
    return Figures(float(np.mean(f1)), *errors)


def mean_auroc(truth: Mapping[str, Array], said: Mapping[str, Array], rows: Rows) -> float:
    """Return the mean area under the ROC curve of the faults that some of `rows` have."""
    there = [name for name in FAULTS if len(np.unique(truth[name][rows])) == 2]
    areas = [roc_auc_score(truth[name][rows], said[name][rows]) for name in there]
    return float(np.mean(areas))
