"""Classical models on the same windows, the same features and the same split.

They see every sensor's features at every step as one long row, normalised by the training
statistics, with the mean in place of what is missing. They train on the network's training and
validation windows together, since they need none to decide when to stop.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from torch import Tensor

from hydrascope.data.splits import Split
from hydrascope.data.stored_machine import StoredMachine
from hydrascope.evaluation.predictions import HeadPredictions
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadKind, HeadSpec

BASELINES: Mapping[str, Callable[[int], ClassifierMixin]] = {
    # Whitens by the within-class covariance, shrunk as in Ledoit & Wolf (2004).
    "shrinkage LDA": lambda _: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "extra trees": lambda seed: ExtraTreesClassifier(300, random_state=seed, n_jobs=-1),
}

_CLASSIFIED = (HeadKind.BINARY, HeadKind.MULTI_CLASS, HeadKind.ORDINAL)


def baseline_predictions(
    name: str,
    machines: Sequence[StoredMachine],
    split: Split,
    heads: Sequence[HeadSpec],
    normalizer: FeatureNormalizer,
    seed: int,
) -> dict[str, HeadPredictions]:
    """Fit one of `BASELINES` for each head that has classes, and predict the test windows.

    A component with fewer than two classes in training, or none to test on, is left out, and so
    is a head without any other component.

    Raises:
        SpecError: The machines differ in their build, so that a row has no fixed meaning.
    """
    check_comparable(machines)
    rows = window_rows(machines, normalizer)
    train = np.concatenate([split.train, split.val])
    predictions = {}
    for head in (head for head in heads if head.kind in _CLASSIFIED):
        targets = torch.cat([machine.targets[head.name] for machine in machines])[..., 0]
        parts = [
            _fit_predict(BASELINES[name](seed), rows, target, train, split.test, head)
            for target in targets.T
            if _has_classes(target[train], 2) and _has_classes(target[split.test], 1)
        ]
        if parts:
            predictions[head.name] = HeadPredictions(
                torch.cat([part.prediction for part in parts]),
                torch.cat([part.target for part in parts]),
            )
    return predictions


def _has_classes(target: Tensor, count: int) -> bool:
    return len(np.unique(target[~target.isnan()].numpy())) >= count


def check_comparable(machines: Sequence[StoredMachine]) -> None:
    """Refuse machines of several topologies: a row of features would have no fixed meaning."""
    if len({tuple(machine.layout.sensor_slot.tolist()) for machine in machines}) > 1:
        raise SpecError("baselines: true needs machines of one topology; set baselines=false")


def window_rows(machines: Sequence[StoredMachine], normalizer: FeatureNormalizer) -> Tensor:
    """Return every window as one row of normalised features, 0 where not observed."""
    rows = []
    for machine in machines:
        features, observed = machine.read(SENSOR_FEATURES), machine.read(SENSOR_OBSERVED)
        windows, sensors = features.shape[:2]
        z = normalizer(
            features.flatten(0, 1),
            observed.flatten(0, 1),
            machine.layout.sensor_slot.repeat(windows),
        )
        rows.append(z.reshape(windows, sensors, -1).flatten(1))
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
