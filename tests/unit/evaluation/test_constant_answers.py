"""The best constant answers, beside scikit-learn's metrics of them."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, r2_score

from hydrascope.evaluation.constant_answers import constant_answers
from hydrascope.evaluation.predictions import LocatedPredictions
from hydrascope.schemas.task import HeadSpec


def found(target: np.ndarray, **head: object) -> dict[str, object]:
    spec = HeadSpec.model_validate({"name": "x", "level": "machine", **head})
    none = torch.zeros(len(target), dtype=torch.int64)
    rows = LocatedPredictions(
        torch.zeros(len(target), 1), torch.from_numpy(target).float(), none, none
    )
    return constant_answers([spec], {"x": rows})["x"]


def test_every_label_is_flagged() -> None:
    target = (np.random.default_rng(0).random((50, 3)) < [0.2, 0.5, 0.0]).astype(float)
    constant = found(target, kind="multi_label", labels=["a", "b", "c"])
    expected = f1_score(target, np.ones_like(target), average="macro", zero_division=0)
    assert constant == {"answer": "every label", "value": pytest.approx(expected)}


def test_the_most_frequent_class_is_answered() -> None:
    target = np.array([0, 1, 1, 1, 0])
    classes = [{"value": 0, "name": "sound"}, {"value": 1, "name": "worn"}]
    constant = found(target[:, None], kind="multi_class", classes=classes)
    assert constant == {"answer": "worn", "value": accuracy_score(target, [1] * 5)}
    assert found(target[:, None], kind="binary") == {"answer": "yes", "value": 0.6}


def test_the_mean_is_answered() -> None:
    target = np.arange(5.0)
    assert found(target[:, None], kind="regression") == {
        "answer": "the mean",
        "value": r2_score(target, np.full(5, target.mean())),
    }


def test_a_head_without_labels_has_none() -> None:
    assert constant_answers([], {}) == {}
