"""Classical models on the same windows, features and split as the network.

They read the features of all sensors and steps as one long row, normalised by the training
statistics; the mean replaces missing values. With references the row also has the differences from
them. Only machines of one build share a row's meaning, so each build has models of its own. They
train on the training and validation windows together, because they need no validation for early
stopping.

Shapes: W windows, R test rows, D numbers of a row, L labels of a head.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict
from torch import Tensor

from hydrascope.data.split_spec import Split
from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.data.stored_machine import StoredMachine, by_build
from hydrascope.evaluation.baseline_models import Baseline
from hydrascope.evaluation.predictions import HeadPredictions
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.models.decode import decode, learned
from hydrascope.schemas.task import HeadKind, HeadSpec

_FOLDS = 5
"""The folds by which the errors of a model are measured that its quantiles follow from."""


class _Rows(NamedTuple):
    """What a baseline is fitted to."""

    features: NDArray[np.float32]
    """[W, D], or [W, sensors, samples]."""
    units: NDArray[np.int64]
    """[W]; windows of one unit are alike."""
    train: NDArray[np.int64]
    """The windows to train on."""
    test: NDArray[np.int64]
    """The windows to answer."""
    seed: int


class _Build(NamedTuple):
    """The machines of one build."""

    machines: Sequence[StoredMachine]
    windows: NDArray[np.int64]
    """Their rows of the window table, [W], ascending."""
    train: NDArray[np.int64]
    """The windows to train on, as positions in `windows`."""
    test: NDArray[np.int64]
    """The windows to answer, likewise."""

    def targets(self, head: HeadSpec) -> Tensor:
        """Return a head's targets, [W, N, L]."""
        return torch.cat([machine.targets[head.name] for machine in self.machines])


def baseline_predictions(
    baseline: Baseline,
    machines: Sequence[StoredMachine],
    split: Split,
    heads: Sequence[HeadSpec],
    normalizer: FeatureNormalizer,
    units: NDArray[np.int64],
    seed: int,
    patch_count: int = 0,
) -> dict[str, HeadPredictions]:
    """Fit a baseline for each head that it can answer, and predict the test windows.

    Each build, component and label has its own model. Every labelled test row gets an answer, so
    that all models are judged on the same rows, which are in the order of the builds. What is
    constant in training is always answered by that value. A head is left out if a tested label has
    no value in training, or if none of them varies. Regressions learn on the scale of their head.

    Args:
        baseline: The kind of model.
        machines: All machines, in the order of their windows.
        split: The windows to train on and to predict.
        heads: The task's heads; those that the baseline does not answer are skipped.
        normalizer: Fitted on the training windows.
        units: [W] what the split keeps together. For quantiles, errors are measured on units
            without which the model was fitted.
        seed: Seed of models that use randomness.
        patch_count: The number of samples at the end of each step's features, for a model that
            reads only these, as one series per sensor, [W, S, T · samples]; 0: all features.
    """
    builds = [build for build in _builds(machines, split) if len(build.test)]
    asked = [head for head in heads if _answers(baseline, head) and _learnable(head, builds)]
    parts: dict[str, list[HeadPredictions]] = {head.name: [] for head in asked}
    for build in builds if asked else ():
        shown = _shown(build.machines, normalizer, patch_count)
        rows = _Rows(shown, units[build.windows], build.train, build.test, seed)
        for head in asked:
            parts[head.name] += _of_components(baseline, head, build.targets(head), rows)
    return {
        name: HeadPredictions(
            torch.cat([each.prediction for each in found]),
            torch.cat([each.target for each in found]),
        )
        for name, found in parts.items()
    }


def _answers(baseline: Baseline, head: HeadSpec) -> bool:
    if head.kind is HeadKind.REGRESSION:
        return baseline.values is not None
    return baseline.classes is not None and (baseline.of_many or not head.labels)


def _builds(machines: Sequence[StoredMachine], split: Split) -> list[_Build]:
    """Return the machines by build, with their windows and parts of the split."""
    first = np.cumsum([0, *(len(machine) for machine in machines)])
    fitted_to = np.concatenate([split.train, split.val])
    found = []
    for numbers in by_build(machines):
        windows = np.concatenate([np.arange(first[n], first[n + 1]) for n in numbers])
        of_build = [machines[number] for number in numbers]
        train, test = (part[np.isin(part, windows)] for part in (fitted_to, split.test))
        place = np.searchsorted(windows, train), np.searchsorted(windows, test)
        found.append(_Build(of_build, windows, *place))
    return found


def _learnable(head: HeadSpec, builds: Sequence[_Build]) -> bool:
    """Return whether every tested label has a value in training, and one of them several."""
    counts = [
        len(torch.unique(label[~label.isnan()]))
        for build in builds
        for target in build.targets(head).unbind(1)
        if not target[build.test].isnan().all()
        for label in target[build.train].unbind(1)
    ]
    return min(counts, default=0) > 0 and max(counts) > 1


def _of_components(
    baseline: Baseline, head: HeadSpec, targets: Tensor, rows: _Rows
) -> list[HeadPredictions]:
    """Answer a head by models of each component and label; `targets` are [W, N, L]."""
    parts = []
    for target in targets.unbind(1):
        test = rows.test[~target[rows.test].isnan().all(dim=1).numpy()]
        if len(test):
            of_component = rows._replace(test=test)
            answers = [_of_label(baseline, head, label, of_component) for label in target.unbind(1)]
            parts.append(HeadPredictions(torch.cat(answers, dim=1), target[test]))
    return parts


def _of_label(baseline: Baseline, head: HeadSpec, label: Tensor, rows: _Rows) -> Tensor:
    """Return the answers to one label, [W], in the test windows, as `models.decode` does."""
    rows = rows._replace(train=rows.train[~label[rows.train].isnan().numpy()])
    if head.kind is HeadKind.REGRESSION:
        return decode(head, _values(baseline, head, learned(head, label), rows))
    assert baseline.classes is not None
    train = label[rows.train].long().numpy()
    model = baseline.classes(rows.seed) if len(np.unique(train)) > 1 else DummyClassifier()
    model.fit(rows.features[rows.train], train)
    probability = torch.zeros(len(rows.test), len(head.classes) or 2)
    probability[:, model.classes_] = torch.from_numpy(
        np.asarray(model.predict_proba(rows.features[rows.test]))
    ).float()
    return probability if head.classes else probability[:, 1:]


def _values(baseline: Baseline, head: HeadSpec, value: Tensor, rows: _Rows) -> Tensor:
    """Return the learned values, [R, 1] or the quantiles [R, Q]."""
    assert baseline.values is not None
    y = value[rows.train].double().numpy()
    if head.quantiles and baseline.quantile:
        made = [baseline.quantile(rows.seed, quantile) for quantile in head.quantiles]
        columns = [_fitted(model, y, rows) for model in made]
        return torch.from_numpy(np.stack(columns, axis=1)).float()
    answer = _fitted(baseline.values(rows.seed), y, rows)[:, None]
    if head.quantiles:
        errors = y - _left_out(baseline.values(rows.seed), y, rows)
        answer = answer + np.quantile(errors, head.quantiles)
    return torch.from_numpy(answer).float()


def _fitted(model: RegressorMixin, y: NDArray[np.float64], rows: _Rows) -> NDArray[np.float64]:
    """Fit a model and return its answers in the test windows, [R]."""
    model.fit(rows.features[rows.train], y)
    answers: NDArray[np.float64] = np.asarray(model.predict(rows.features[rows.test]))
    return answers


def _left_out(model: RegressorMixin, y: NDArray[np.float64], rows: _Rows) -> NDArray[np.float64]:
    """Return the answers in the training windows by models without the windows' units."""
    units = rows.units[rows.train]
    if len(np.unique(units)) < 2:
        units = np.arange(len(units))
    folds = GroupKFold(min(_FOLDS, len(np.unique(units))))
    answers: NDArray[np.float64] = np.asarray(
        cross_val_predict(model, rows.features[rows.train], y, groups=units, cv=folds)
    )
    return answers


def _shown(
    machines: Sequence[StoredMachine], normalizer: FeatureNormalizer, patch_count: int
) -> NDArray[np.float32]:
    """Return what a baseline reads of machines of one build."""
    features = window_features(machines, normalizer)
    if patch_count:
        return features[..., features.shape[-1] - patch_count :].flatten(2).numpy()
    if normalizer.by != "machine" and machines[0].reference is not None:
        change = features - _references(machines, normalizer)
        features = torch.cat((features, change), dim=-1)
    return features.flatten(1).numpy()


def window_features(machines: Sequence[StoredMachine], normalizer: FeatureNormalizer) -> Tensor:
    """Return the normalised features of all windows, [W, S, T, F]; 0 where not observed."""
    rows = []
    for machine in machines:
        features, observed = machine.read(SENSOR_FEATURES), machine.read(SENSOR_OBSERVED)
        windows, sensors = features.shape[:2]
        row = normalizer.row(machine.layout.sensor_slot, machine.layout.sensor_kind)
        flat = normalizer.flat(features, observed, machine.layout.sensor_slot)
        row = normalizer.regime_row(row.repeat(windows), flat)
        features, observed = normalizer.centred(features, observed, *machine.own_reference)
        z = normalizer(features.flatten(0, 1), observed.flatten(0, 1), row)
        rows.append(z.unflatten(0, (windows, sensors)))
    return torch.cat(rows)


def _references(machines: Sequence[StoredMachine], normalizer: FeatureNormalizer) -> Tensor:
    """Return the normalised references of all windows, [W, S, T, F]; 0 where unknown."""
    rows = []
    for machine in machines:
        row = normalizer.row(machine.layout.sensor_slot, machine.layout.sensor_kind)
        z = normalizer(*machine.own_reference, row)
        rows.append(z.expand(len(machine), *z.shape))
    return torch.cat(rows)
