"""Metrics over several batches with missing labels, against scikit-learn over all rows at once."""

from math import isnan

import numpy as np
import pytest
import torch
from sklearn import metrics as oracle
from torch import Tensor

from hydrascope.schemas import HeadKind, HeadSpec, validate
from hydrascope.tasks.metrics import PRIMARY_METRIC, HeadMetrics, predicted_class, task_score

NAN = float("nan")
VALUES = [3.0, 20.0, 50.0, 100.0]


def head(kind: str, **fields: object) -> HeadSpec:
    if kind in ("multi_class", "ordinal"):
        fields["classes"] = [{"value": v, "name": f"class {v}"} for v in VALUES]
    plain = {"name": kind, "level": "machine", "kind": kind}
    return validate(HeadSpec, plain | fields)


def accumulated(spec: HeadSpec, prediction: Tensor, target: Tensor) -> dict[str, float]:
    """Metrics after batches of 7 rows, one batch without any label, and a batch to forget."""
    metrics = HeadMetrics(spec)
    metrics.update(prediction[:5], target[:5])
    metrics.reset()
    metrics.update(prediction[:3], torch.full_like(target[:3], NAN))
    for rows in range(0, len(target), 7):
        metrics.update(prediction[rows : rows + 7], target[rows : rows + 7])
    return metrics.compute()


def some_missing(target: Tensor) -> Tensor:
    target[torch.rand(len(target), generator=torch.Generator().manual_seed(9)) < 0.3] = NAN
    return target


@pytest.mark.parametrize("kind", ["multi_class", "ordinal"])
def test_graded_metrics_equal_sklearn_in_the_labels_unit(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.rand(60, 4, generator=generator).softmax(1)
    target = some_missing(torch.randint(0, 4, (60, 1), generator=generator).float())
    kept = ~target[:, 0].isnan().numpy()
    true = target[:, 0].numpy()[kept].astype(int)
    chosen = prediction.numpy().argmax(axis=1)[kept]
    value = np.array(VALUES)
    assert accumulated(head(kind), prediction, target) == pytest.approx(
        {
            "accuracy": oracle.accuracy_score(true, chosen),
            "macro_f1": oracle.f1_score(true, chosen, average="macro"),
            "mae": oracle.mean_absolute_error(value[true], value[chosen]),
        },
        rel=1e-5,
    )


def test_a_class_that_never_occurs_does_not_lower_macro_f1() -> None:
    true = torch.tensor([[0.0], [0.0], [1.0], [1.0], [1.0]])
    prediction = torch.eye(4)[[0, 1, 1, 1, 0]]
    computed = accumulated(head("multi_class"), prediction, true)
    expected = oracle.f1_score([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], average="macro")
    assert computed["macro_f1"] == pytest.approx(expected)


def test_binary_metrics_equal_sklearn() -> None:
    generator = torch.Generator().manual_seed(1)
    prediction = torch.rand(60, 1, generator=generator)
    target = some_missing(torch.randint(0, 2, (60, 1), generator=generator).float())
    kept = ~target[:, 0].isnan().numpy()
    true, chosen = target[:, 0].numpy()[kept], (prediction[:, 0] > 0.5).numpy()[kept]
    assert accumulated(head("binary"), prediction, target) == pytest.approx(
        {
            "accuracy": oracle.accuracy_score(true, chosen),
            "macro_f1": oracle.f1_score(true, chosen, average="macro"),
        }
    )


@pytest.mark.parametrize("labels", [["leak", "air", "wear"], ["leak"]])
def test_multi_label_metrics_equal_sklearn(labels: list[str]) -> None:
    generator = torch.Generator().manual_seed(2)
    prediction = torch.rand(60, len(labels), generator=generator)
    target = torch.randint(0, 2, (60, len(labels)), generator=generator).float()
    target = some_missing(target)
    target[4, 0] = NAN  # a row is judged when all its labels are known
    kept = ~target.isnan().any(dim=1).numpy()
    true, chosen = target.numpy()[kept].astype(int), (prediction > 0.5).numpy()[kept].astype(int)
    # scikit-learn reads a single column as classes 0 and 1, of which we judge the second alone.
    f1 = [oracle.f1_score(true[:, name], chosen[:, name]) for name in range(len(labels))]
    assert accumulated(head("multi_label", labels=labels), prediction, target) == pytest.approx(
        {"accuracy": (true == chosen).mean(), "macro_f1": np.mean(f1)}
    )


def test_regression_metrics_equal_sklearn() -> None:
    generator = torch.Generator().manual_seed(3)
    target = 50 + 20 * torch.randn(60, 1, generator=generator)
    prediction = target + 10 * torch.randn(60, 1, generator=generator)
    target = some_missing(target)
    kept = ~target[:, 0].isnan().numpy()
    true, guess = target[:, 0].double().numpy()[kept], prediction[:, 0].double().numpy()[kept]
    assert accumulated(head("regression"), prediction, target) == pytest.approx(
        {
            "mae": oracle.mean_absolute_error(true, guess),
            "rmse": oracle.root_mean_squared_error(true, guess),
            "r2": oracle.r2_score(true, guess),
        },
        rel=1e-4,
    )


def test_metrics_of_a_regression_with_labels_are_means_over_them() -> None:
    generator = torch.Generator().manual_seed(3)
    target = torch.rand(60, 3, generator=generator)
    target[:, 2] = 0.0  # does not vary
    prediction = target + 0.1 * torch.randn(60, 3, generator=generator)
    target[4, 1] = NAN  # the row does not count
    true, guess = (np.delete(each.double().numpy(), 4, axis=0) for each in (target, prediction))
    spec = head("regression", labels=["a", "b", "c"])
    assert accumulated(spec, prediction, target) == pytest.approx(
        {
            "mae": np.abs(true - guess).mean(),
            "rmse": oracle.root_mean_squared_error(true, guess),
            "r2": oracle.r2_score(true, guess),
        },
        rel=1e-4,
    )


@pytest.mark.parametrize("labels", [[], ["a", "b"]])
def test_a_regression_whose_labels_are_one_value_has_errors_but_no_r2(labels: list[str]) -> None:
    columns = len(labels) or 1
    target = torch.tensor([[0.1, 7.0][:columns]] * 20)
    spec = head("regression", labels=labels) if labels else head("regression")
    found = accumulated(spec, target + 2.0, target)
    assert found == {"mae": pytest.approx(2.0), "rmse": pytest.approx(2.0)}
    assert isnan(task_score([spec], {spec.name: found}))


def test_quantiles_are_scored_by_pinball_loss_and_interval_score() -> None:
    generator = torch.Generator().manual_seed(3)
    target = 50 + 20 * torch.randn(60, 1, generator=generator)
    spread = torch.tensor([[-15.0, 0.0, 25.0]])
    prediction = target + spread + 20 * torch.randn(60, 1, generator=generator)
    target = some_missing(target)
    kept = ~target[:, 0].isnan().numpy()
    true, guess = target[:, 0].double().numpy()[kept], prediction.double().numpy()[kept]
    quantiles = [0.05, 0.5, 0.8]
    found = accumulated(head("regression", quantiles=quantiles), prediction, target)
    pinball = [
        oracle.mean_pinball_loss(true, guess[:, number], alpha=quantile)
        for number, quantile in enumerate(quantiles)
    ]
    scores = []
    for y, (low, _, high) in zip(true, guess, strict=True):
        penalty = (low - y) / 0.05 if y < low else (y - high) / 0.2 if y > high else 0.0
        scores.append(high - low + penalty)
    assert found["pinball"] == pytest.approx(np.mean(pinball), rel=1e-4)
    assert found["interval_score"] == pytest.approx(np.mean(scores), rel=1e-4)
    assert found["mae"] == pytest.approx(np.abs(true - guess[:, 1]).mean(), rel=1e-4)
    median = accumulated(head("regression", quantiles=[0.5]), prediction[:, [1]], target)
    assert "pinball" in median
    assert "interval_score" not in median


@pytest.mark.parametrize("kind", ["regression", "binary", "multi_class", "ordinal"])
def test_a_head_without_labelled_rows_has_no_metrics(kind: str) -> None:
    metrics = HeadMetrics(head(kind))
    metrics.update(
        torch.rand(5, 4 if kind in ("multi_class", "ordinal") else 1), torch.full((5, 1), NAN)
    )
    assert metrics.compute() == {}


def test_one_row_is_too_few_for_a_regression() -> None:
    metrics = HeadMetrics(head("regression"))
    metrics.update(torch.tensor([[1.0]]), torch.tensor([[2.0]]))
    assert metrics.compute() == {}


def test_the_chosen_class_is_the_most_probable_one() -> None:
    graded = torch.tensor([[0.1, 0.2, 0.6, 0.1], [0.7, 0.1, 0.1, 0.1]])
    assert predicted_class(head("ordinal"), graded).tolist() == [2, 0]
    assert predicted_class(head("multi_class"), graded).tolist() == [2, 0]
    assert predicted_class(head("binary"), torch.tensor([[0.4], [0.6]])).tolist() == [0, 1]


def test_every_kind_of_head_has_a_primary_metric_that_it_computes() -> None:
    for kind in HeadKind:
        labels = {"labels": ["leak", "air"]} if kind is HeadKind.MULTI_LABEL else {}
        spec = head(kind.value, **labels)
        metrics = HeadMetrics(spec)
        width = {HeadKind.MULTI_CLASS: 4, HeadKind.ORDINAL: 4, HeadKind.MULTI_LABEL: 2}.get(kind, 1)
        targets = len(spec.labels) or 1
        both = torch.arange(6).remainder(2).float()
        metrics.update(torch.rand(6, width), both.unsqueeze(1).expand(-1, targets))
        assert PRIMARY_METRIC[kind] in metrics.compute()


def test_a_score_weighs_the_heads_like_their_losses() -> None:
    heads = [
        head("multi_class"),
        head("binary", weight=0.25),
        head("regression", weight=3.0),
    ]
    metrics = {
        "multi_class": {"accuracy": 0.9, "macro_f1": 0.1, "mae": 7.0},
        "binary": {"accuracy": 0.5, "macro_f1": 0.2},
        "regression": {"mae": 4.0, "r2": 0.8},
    }
    expected = np.average([0.9, 0.5, 0.8], weights=[1.0, 0.25, 3.0])
    assert task_score(heads, metrics) == pytest.approx(expected)
    # A head that nothing could be said of neither helps nor hurts.
    without = metrics | {"regression": {}}
    assert task_score(heads, without) == pytest.approx(np.average([0.9, 0.5], weights=[1, 0.25]))
    assert isnan(task_score(heads, {spec.name: {} for spec in heads}))
