"""Classical models on the same windows, features and split as the network.

They read the features of all sensors and steps as one long row, normalised by the training
statistics; the mean replaces missing values. They train on the training and validation windows
together, because they need no validation for early stopping.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier
from torch import Tensor

from hydrascope.data.split_spec import Split
from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.data.stored_machine import StoredMachine, of_one_build
from hydrascope.evaluation.predictions import HeadPredictions
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadKind, HeadSpec

BASELINES: Mapping[str, Callable[[int], ClassifierMixin]] = {
    # Whitens with the within-class covariance, shrunk as in Ledoit & Wolf (2004).
    "shrinkage LDA": lambda _: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "extra trees": lambda seed: ExtraTreesClassifier(300, random_state=seed, n_jobs=-1),
}
"""The fast baselines, which every training fits beside its model."""

_CLASSIFIED = (HeadKind.BINARY, HeadKind.MULTI_CLASS, HeadKind.ORDINAL)


def baseline_predictions(
    make: Callable[[int], ClassifierMixin],
    machines: Sequence[StoredMachine],
    split: Split,
    heads: Sequence[HeadSpec],
    normalizer: FeatureNormalizer,
    seed: int,
    patch_count: int = 0,
) -> dict[str, HeadPredictions]:
    """Fit a baseline for each head with classes, and predict the test windows.

    Every labelled test row gets an answer, so that all models are judged on the same rows. A
    component with only one class in training always gets that class. A head is left out if a tested
    component has no label in training, or if no component has two classes.

    Args:
        make: Builds the model from a seed, as in `BASELINES`.
        machines: Machines of one build.
        split: The windows to train on and to predict.
        heads: The task's heads; those without classes are skipped.
        normalizer: Fitted on the training windows.
        seed: Seed of models that use randomness.
        patch_count: The number of samples at the end of each step's features, for a model that
            reads only these, as one series per sensor, [W, S, T · samples]; 0: all features.

    Raises:
        SpecError: The machines differ in build, so that a row has no fixed meaning.
    """
    check_comparable(machines)
    features = window_features(machines, normalizer)
    rows = features.flatten(1)
    if patch_count:
        rows = features[..., features.shape[-1] - patch_count :].flatten(2)
    train = np.concatenate([split.train, split.val])
    predictions = {}
    for head in (head for head in heads if head.kind in _CLASSIFIED):
        targets = torch.cat([machine.targets[head.name] for machine in machines])[..., 0]
        tested = [target for target in targets.T if _classes(target[split.test])]
        classes = [_classes(target[train]) for target in tested]
        if min(classes, default=0) > 0 and max(classes) > 1:
            parts = [
                _fit_predict(
                    make(seed) if count > 1 else DummyClassifier(),
                    rows,
                    target,
                    train,
                    split.test,
                    head,
                )
                for target, count in zip(tested, classes, strict=True)
            ]
            predictions[head.name] = HeadPredictions(
                torch.cat([part.prediction for part in parts]),
                torch.cat([part.target for part in parts]),
            )
    return predictions


def _classes(target: Tensor) -> int:
    """Return the number of distinct classes among the labels, [W]."""
    return len(np.unique(target[~target.isnan()].numpy()))


def check_comparable(machines: Sequence[StoredMachine]) -> None:
    """Raise a `SpecError` for machines of several builds: a row would have no fixed meaning."""
    if not of_one_build(machines):
        raise SpecError("baselines: true needs machines of one topology; set baselines=false")


def window_features(machines: Sequence[StoredMachine], normalizer: FeatureNormalizer) -> Tensor:
    """Return the normalised features of all windows, [W, S, T, F]; 0 where not observed."""
    rows = []
    for machine in machines:
        features, observed = machine.read(SENSOR_FEATURES), machine.read(SENSOR_OBSERVED)
        windows, sensors = features.shape[:2]
        features, observed = normalizer.centred(features, observed, *machine.own_reference)
        row = normalizer.row(machine.layout.sensor_slot, machine.layout.sensor_kind)
        z = normalizer(features.flatten(0, 1), observed.flatten(0, 1), row.repeat(windows))
        rows.append(z.unflatten(0, (windows, sensors)))
    return torch.cat(rows)


def _fit_predict(
    model: ClassifierMixin,
    rows: Tensor,
    target: Tensor,
    train: np.ndarray,
    test: np.ndarray,
    head: HeadSpec,
) -> HeadPredictions:
    train = train[~target[train].isnan().numpy()]
    test = test[~target[test].isnan().numpy()]
    model.fit(rows[train].numpy(), target[train].long().numpy())
    probability = torch.zeros(len(test), len(head.classes) or 2)
    probability[:, model.classes_] = torch.from_numpy(
        model.predict_proba(rows[test].numpy())
    ).float()
    if head.kind is HeadKind.BINARY:
        probability = probability[:, 1:]
    return HeadPredictions(probability, target[test].unsqueeze(1))
