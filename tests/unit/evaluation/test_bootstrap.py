"""Intervals of metrics, against torchmetrics, scikit-learn and a bootstrap written as a loop."""

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    average_precision_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

from hydrascope.evaluation.bootstrap import Bootstrap, auroc, average_precision
from hydrascope.evaluation.breakdown import of_heads, of_kinds, of_outcomes
from hydrascope.evaluation.predictions import HeadPredictions, LocatedPredictions
from hydrascope.evaluation.sums import metrics_of, row_sums
from hydrascope.schemas import HeadSpec, validate
from hydrascope.tasks.metrics import HeadMetrics

GRADED = {
    "name": "valve",
    "level": "machine",
    "kind": "multi_class",
    "classes": [{"value": v, "name": f"{v} %"} for v in (73, 80, 100)],
}
BINARY = {"name": "stable", "level": "machine", "kind": "binary"}
WEAR = {"name": "wear", "level": "machine", "kind": "regression"}
SPREAD = WEAR | {"quantiles": [0.1, 0.5, 0.9]}
SEVERITY = {"name": "s", "level": "machine", "kind": "regression", "labels": ["leak", "wear"]}
FAULTS = {"name": "faults", "level": "machine", "kind": "multi_label", "labels": ["leak", "wear"]}


def head(fields: dict[str, object]) -> HeadSpec:
    return validate(HeadSpec, fields)


def rows(spec: HeadSpec, count: int = 60, seed: int = 0) -> LocatedPredictions:
    random = torch.Generator().manual_seed(seed)
    width = len(spec.classes) or len(spec.labels) or len(spec.quantiles) or 1
    prediction = torch.rand(count, width, generator=random)
    if spec.kind == "regression":
        prediction = prediction.sort(dim=1).values if spec.quantiles else prediction
        guess = prediction[:, [spec.median]] if spec.quantiles else prediction
        target = guess + torch.randn(guess.shape, generator=random)
    elif spec.labels:
        target = (torch.rand(count, width, generator=random) < prediction).float()
    else:
        target = torch.randint(0, len(spec.classes) or 2, (count, 1), generator=random).float()
    window = torch.arange(count)
    return LocatedPredictions(prediction, target, window, torch.full_like(window, -1))


@pytest.mark.parametrize("fields", [GRADED, BINARY, WEAR, SPREAD, SEVERITY, FAULTS], ids=str)
def test_metrics_from_sums_are_those_that_torchmetrics_computes(fields: dict[str, object]) -> None:
    spec = head(fields)
    answers = rows(spec)
    oracle = HeadMetrics(spec)
    oracle.update(answers.prediction, answers.target)
    expected = oracle.compute()
    found = metrics_of(spec, row_sums(spec, answers).sum(0))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, abs=1e-5)


def test_r2_is_undefined_where_all_labels_are_one_value() -> None:
    spec = head(WEAR)
    target = torch.full((30, 1), 0.1)
    sums = row_sums(spec, HeadPredictions(target + 0.5, target)).sum(0)
    found = metrics_of(spec, sums)
    assert np.isnan(found["r2"])
    assert float(found["rmse"]) == pytest.approx(0.5)


def test_a_class_that_never_occurs_does_not_count() -> None:
    spec = head(GRADED)
    answers = HeadPredictions(torch.eye(3)[[0, 1, 1]], torch.tensor([[0.0], [1.0], [0.0]]))
    oracle = HeadMetrics(spec)
    oracle.update(answers.prediction, answers.target)
    found = metrics_of(spec, row_sums(spec, answers).sum(0))
    assert float(found["macro_f1"]) == pytest.approx(oracle.compute()["macro_f1"])


def test_whole_units_are_drawn_as_a_loop_over_draws_would() -> None:
    spec = head(GRADED)
    answers = rows(spec)
    units = np.arange(60) // 6  # ten units of six windows
    bootstrap = Bootstrap.of("conditions", units, np.arange(60))
    found = bootstrap.of_sums(
        row_sums(spec, answers), np.arange(60), lambda sums: metrics_of(spec, sums)
    )
    right = (answers.prediction.argmax(1) == answers.target[:, 0]).numpy()
    drawn = np.random.default_rng(0).multinomial(10, np.full(10, 0.1), size=2000)
    for draw in (0, 17, 1999):
        chosen = np.concatenate(
            [np.flatnonzero(units == u).repeat(n) for u, n in enumerate(drawn[draw])]
        )
        assert found["accuracy"][draw] == pytest.approx(right[chosen].mean(), abs=1e-6)


def test_an_interval_by_windows_of_few_conditions_would_be_far_too_narrow() -> None:
    # All windows of a condition share its error: the mean of 20 conditions, not of 1000 windows.
    random = np.random.default_rng(1)
    spec = head(WEAR)
    units = np.repeat(np.arange(20), 50)
    error = np.abs(random.normal(size=20))[units] + 0.01 * random.random(1000)
    window = torch.arange(1000)
    answers = LocatedPredictions(
        torch.tensor(error).float().unsqueeze(1),
        torch.zeros(1000, 1),
        window,
        -window.new_ones(1000),
    )
    width = {}
    for name, grouping in (("conditions", units), ("windows", np.arange(1000))):
        bootstrap = Bootstrap.of(name, grouping, np.arange(1000))
        low, high = of_heads([spec], {"wear": answers}, bootstrap)["wear"]["mae"]["interval"]
        width[name] = high - low
    assert width["conditions"] > 5 * width["windows"]
    of_means = np.abs(np.array([error[units == u].mean() for u in range(20)])).std() / np.sqrt(20)
    assert width["conditions"] == pytest.approx(2 * 1.96 * of_means, rel=0.15)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    spec, covered = head(BINARY), 0
    units = np.repeat(np.arange(40), 5)
    window = torch.arange(200)
    for trial in range(200):
        random = np.random.default_rng(trial)
        right = random.random(200) < random.beta(8, 2, size=40)[units]  # of each unit its own share
        answers = LocatedPredictions(
            torch.tensor(right).float().unsqueeze(1),
            torch.ones(200, 1),
            window,
            -window.new_ones(200),
        )
        bootstrap = Bootstrap("machines", units, np.arange(40), draws=400)
        low, high = of_heads([spec], {"stable": answers}, bootstrap)["stable"]["accuracy"][
            "interval"
        ]
        covered += low <= 0.8 <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_ranking_metrics_of_weighted_rows_are_those_of_repeated_rows() -> None:
    random = np.random.default_rng(0)
    score = np.round(random.random(80), 1)  # many ties
    present = random.random(80) < score
    weights = random.integers(0, 4, (5, 80)).astype(float)
    for metric, oracle in ((average_precision, average_precision_score), (auroc, roc_auc_score)):
        expected = [
            oracle(present.repeat(w.astype(int)), score.repeat(w.astype(int))) for w in weights
        ]
        np.testing.assert_allclose(metric(score, present, weights), expected, atol=1e-9)
        assert np.isnan(metric(score, np.zeros(80, bool), weights)).all()


def test_each_label_and_each_kind_of_machine_is_judged_by_itself() -> None:
    spec = head(FAULTS)
    answers = rows(spec)
    kinds = np.array(["robot", "excavator"])[np.arange(60) % 2]
    bootstrap = Bootstrap.of("machines", np.arange(60) // 3, np.arange(60))
    found = of_outcomes(spec, answers, bootstrap)
    leak = average_precision_score(answers.target[:, 0].numpy(), answers.prediction[:, 0].numpy())
    assert found["leak"]["average_precision"]["value"] == pytest.approx(leak)
    low, high = found["leak"]["average_precision"]["interval"]
    assert low < leak < high
    by_kind = of_kinds([spec], {"faults": answers}, bootstrap, kinds)
    assert list(by_kind) == ["excavator", "robot"]
    oracle = HeadMetrics(spec)
    oracle.update(answers.prediction[::2], answers.target[::2])
    expected = oracle.compute()["macro_f1"]
    assert by_kind["robot"]["faults"]["macro_f1"]["value"] == pytest.approx(expected)


def test_a_single_unit_has_no_interval() -> None:
    spec = head(GRADED)
    bootstrap = Bootstrap.of("conditions", np.zeros(60, np.int64), np.arange(60))
    found = of_heads([spec], {"valve": rows(spec)}, bootstrap)["valve"]
    assert found["accuracy"]["interval"] is None
    assert found["accuracy"]["value"] is not None


@pytest.mark.parametrize("fields", [GRADED, BINARY, FAULTS], ids=lambda f: f["kind"])
def test_each_outcome_is_judged_as_scikit_learn_does(fields: dict[str, object]) -> None:
    spec = head(fields)
    answers = rows(spec)
    bootstrap = Bootstrap.of("windows", np.arange(60), np.arange(60))
    found = of_outcomes(spec, answers, bootstrap)
    target, prediction = answers.target.numpy(), answers.prediction.numpy()
    for number, (name, metrics) in enumerate(found.items()):
        if spec.classes:
            true, said = target[:, 0] == number, prediction.argmax(1) == number
        else:
            true, said = target[:, number] == 1, prediction[:, number] >= 0.5
        precision, recall, f1, _ = precision_recall_fscore_support(true, said, average="binary")
        assert metrics["precision"]["value"] == pytest.approx(precision), name
        assert metrics["recall"]["value"] == pytest.approx(recall)
        assert metrics["f1"]["value"] == pytest.approx(f1)
        low, high = metrics["f1"]["interval"]
        assert low < f1 < high


def test_an_outcome_of_one_unit_has_no_interval() -> None:
    spec = head(BINARY)
    target = torch.zeros(60, 1)
    target[:6] = 1.0  # the first of ten units
    window = torch.arange(60)
    answers = LocatedPredictions(torch.rand(60, 1), target, window, -torch.ones_like(window))
    bootstrap = Bootstrap.of("conditions", np.arange(60) // 6, np.arange(60))
    recall = of_outcomes(spec, answers, bootstrap)["present"]["recall"]
    assert recall["value"] is not None
    assert recall["interval"] is None
