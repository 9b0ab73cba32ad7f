"""Temperatures, thresholds, calibration errors and conformal margins, against other ways."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torchmetrics.classification import BinaryCalibrationError, MulticlassCalibrationError

from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.evaluation.calibrate import (
    HeldOut,
    best_threshold,
    conformal_margin,
    fit_calibration,
    fit_temperatures,
)
from hydrascope.evaluation.calibration import (
    bin_sums,
    calibration_report,
    expected_error,
    questions,
)
from hydrascope.evaluation.nonconformity import nonconformity
from hydrascope.evaluation.predictions import LocatedPredictions
from hydrascope.models.calibration import Temperatures, tempered
from hydrascope.models.conformal import interval, kept_classes
from hydrascope.schemas import HeadSpec, validate
from hydrascope.schemas.calibration import Calibration
from hydrascope.tasks.alarm_thresholds import conformal_threshold

CLASSES = [{"value": v, "name": f"{v}"} for v in range(4)]
GRADED = validate(
    HeadSpec, {"name": "valve", "level": "machine", "kind": "multi_class", "classes": CLASSES}
)
BINARY = validate(HeadSpec, {"name": "stable", "level": "machine", "kind": "binary"})
FAULTS = validate(
    HeadSpec,
    {"name": "faults", "level": "machine", "kind": "multi_label", "labels": ["leak", "wear"]},
)
WEAR = validate(HeadSpec, {"name": "wear", "level": "machine", "kind": "regression"})
SPREAD = validate(
    HeadSpec,
    {"name": "life", "level": "machine", "kind": "regression", "quantiles": [0.1, 0.5, 0.9]},
)


def located(prediction: torch.Tensor, target: torch.Tensor) -> LocatedPredictions:
    window = torch.arange(len(target))
    return LocatedPredictions(prediction, target, window, torch.full_like(window, -1))


def overconfident(count: int, factor: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits whose softmax is right once they are divided by `factor`, and targets drawn so."""
    random = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(count, 4, generator=random)
    target = torch.multinomial(logits.softmax(1), 1, generator=random)
    return logits * factor, target.float()


def test_a_temperature_of_probabilities_is_one_of_logits_and_changes_no_answer() -> None:
    logits = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    found = tempered(GRADED, logits.softmax(1), torch.tensor([2.5]))
    torch.testing.assert_close(found, (logits / 2.5).softmax(1))
    assert found.argmax(1).equal(logits.argmax(1))
    one = logits[:, :1]
    found = tempered(BINARY, one.sigmoid(), torch.tensor([0.5]))
    torch.testing.assert_close(found, (one / 0.5).sigmoid())
    found = tempered(FAULTS, logits[:, :2].sigmoid(), torch.tensor([0.5, 3.0]))
    torch.testing.assert_close(found, (logits[:, :2] / torch.tensor([0.5, 3.0])).sigmoid())


def test_certainty_stays_finite() -> None:
    certain = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(tempered(GRADED, certain, torch.tensor([1.0])), certain)
    for p in (0.0, 1.0):
        found = float(tempered(BINARY, torch.tensor([[p]]), torch.tensor([1.0])))
        assert found == pytest.approx(p, abs=1e-12)


def test_the_temperature_that_was_put_in_is_found() -> None:
    logits, target = overconfident(4000, 3.0)
    (found,) = fit_temperatures(GRADED, located(logits.softmax(1), target), 4000)
    assert found == pytest.approx(3.0, rel=0.1)
    losses = {
        t: float(F.cross_entropy(logits / t, target[:, 0].long()))
        for t in (0.8 * found, found, 1.25 * found)
    }
    assert min(losses, key=losses.__getitem__) == found


def test_answers_that_were_all_right_do_not_become_infinitely_sure() -> None:
    target = torch.arange(4.0).repeat(25).unsqueeze(1)
    prediction = torch.full((100, 4), 0.1).scatter(1, target.long(), 0.7)
    found = [
        fit_temperatures(GRADED, located(prediction, target), units)[0] for units in (2, 10, 1000)
    ]
    assert 1 > found[0] > found[1] > found[2] > 0.1
    # Few conditions say little against a wrong answer, either.
    wrong = located(prediction.roll(1, dims=1), target)
    few, many = (fit_temperatures(GRADED, wrong, units)[0] for units in (2, 1000))
    assert many > 2 * few > 2


def test_the_calibration_error_is_that_of_torchmetrics() -> None:
    logits, target = overconfident(500, 2.0)
    (asked,) = questions(GRADED, located(logits.softmax(1), target))
    oracle = MulticlassCalibrationError(num_classes=4, n_bins=15, norm="l1")
    expected = float(oracle(logits.softmax(1), target[:, 0].long()))
    assert float(expected_error(bin_sums(asked).sum(0))) == pytest.approx(expected, abs=1e-5)
    p = logits[:, :1].sigmoid()
    present = (torch.rand(500, 1, generator=torch.Generator().manual_seed(1)) < p).float()
    (asked,) = questions(BINARY, located(p, present))
    expected = float(BinaryCalibrationError(n_bins=15, norm="l1")(p[:, 0], present[:, 0].long()))
    assert float(expected_error(bin_sums(asked).sum(0))) == pytest.approx(expected, abs=1e-5)


def test_calibration_brings_the_error_down_on_rows_that_it_has_not_seen() -> None:
    heads = [GRADED]
    raw = {}
    for part, seed in (("held_out", 0), ("test", 1)):
        logits, target = overconfident(2000, 3.0, seed)
        raw[part] = {"valve": located(logits.softmax(1), target)}
    spec = fit_calibration(heads, HeldOut(raw["held_out"], {}, np.arange(2000) // 20, "conditions"))
    test = raw["test"]["valve"]
    sure = Temperatures(heads, spec)({"valve": test.prediction})["valve"]
    after = {"valve": located(sure, test.target)}
    bootstrap = Bootstrap.of("windows", np.arange(2000), np.arange(2000))
    report = calibration_report(heads, raw["test"], after, spec, bootstrap)
    asked = report["questions"]["valve"]
    assert asked["before"]["ece"] > 0.15
    assert asked["after"]["ece"] < 0.04
    low, high = asked["before"]["interval"]
    assert low < asked["before"]["ece"] < high
    assert report["held_out"] == {"windows": 2000, "units": 100, "unit": "conditions"}
    kept = report["conformal"]["heads"]["valve"]
    assert kept["coverage"] == pytest.approx(0.98, abs=0.02)
    assert kept["exchangeable"] == pytest.approx(0.99, abs=0.01)
    assert 1 <= kept["size"] < 4


def test_the_best_threshold_is_the_best_of_all() -> None:
    random = np.random.default_rng(0)
    p = np.round(random.beta(1, 4, 300), 2)
    present = random.random(300) < p
    found = best_threshold(p, present)
    best = max(f1_score(present, p >= t) for t in np.linspace(0, 1, 1001))
    assert f1_score(present, p >= found) == pytest.approx(best)
    assert f1_score(present, p >= found) > f1_score(present, p >= 0.5) + 0.05


def test_too_few_windows_with_a_label_leave_its_threshold_and_temperature_alone() -> None:
    target = torch.zeros(100, 2)
    target[:3, 0] = 1.0
    target[:40, 1] = 1.0
    prediction = torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
    held_out = HeldOut({"faults": located(prediction, target)}, {}, np.arange(100), "windows")
    spec = fit_calibration([FAULTS], held_out)
    assert spec.thresholds["faults.leak"] == 0.5
    assert spec.thresholds["faults.wear"] != 0.5
    leak, wear = spec.temperatures["faults"]
    assert leak == 1.0
    assert wear > 2.0  # chance is worth nothing, so it is made unsure


def test_flags_of_few_machines_keep_the_calibration_of_the_initial_weights() -> None:
    target = torch.zeros(100, 2)
    target[:40, 0] = 1.0  # the windows of four machines
    target[:60, 1] = 1.0  # of six
    prediction = torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
    held_out = HeldOut(
        {"faults": located(prediction, target)}, {}, np.arange(100) // 10, "machines"
    )
    alone = fit_calibration([FAULTS], held_out)
    prior = alone.model_copy(
        update={
            "temperatures": {"faults": (7.0, 8.0)},
            "thresholds": {"faults.leak": 0.11, "faults.wear": 0.12},
        }
    )
    found = fit_calibration([FAULTS], held_out, prior=prior)
    wear = alone.temperatures["faults"][1]
    assert found.temperatures["faults"] == (7.0, wear)
    assert found.thresholds == {**alone.thresholds, "faults.leak": 0.11}


def test_a_head_with_too_few_held_out_windows_says_so() -> None:
    rows = located(torch.rand(3, 4).softmax(1), torch.zeros(3, 1))
    spec = fit_calibration([GRADED], HeldOut({"valve": rows}, {}, np.arange(3), "windows"))
    assert spec.uncalibrated == {"valve": "3 held-out windows have its label"}
    assert not spec.temperatures
    assert not spec.conformal.margins


@pytest.mark.parametrize("count", [10, 100, 137])
def test_the_margin_is_the_conformal_quantile(count: int) -> None:
    scores = np.random.default_rng(count).normal(size=count)  # of quantiles they may be negative
    expected = np.sort(scores)[int(np.ceil((count + 1) * 0.9)) - 1]
    assert conformal_margin(scores, 0.9) == expected
    # The threshold of normality, where each window is a unit of its own, is the same rule.
    assert conformal_threshold(scores, 0.1, np.arange(count)) == expected


def test_too_few_windows_promise_nothing() -> None:
    assert conformal_margin(np.arange(5.0), 0.9) == np.inf


@pytest.mark.parametrize("head", [GRADED, BINARY, WEAR, SPREAD], ids=lambda head: head.name)
def test_sets_and_intervals_hold_the_truth_as_often_as_they_say(head: HeadSpec) -> None:
    random = torch.Generator().manual_seed(2)
    if head.kind == "regression":
        truth = 5 * torch.randn(4000, 1, generator=random)
        off = torch.randn(4000, 1, generator=random)
        shape = torch.tensor([[-0.3, 0.0, 0.3]]) if head.quantiles else torch.zeros(1, 1)
        prediction = truth + off + shape
    else:
        logits, truth = overconfident(4000, 2.0)
        prediction = logits.softmax(1)
        if head is BINARY:
            prediction, truth = prediction[:, :1], (truth == 0).float()
    margins = [
        conformal_margin(
            nonconformity(head, prediction[:2000], truth[:2000]).numpy()[:, 0], nominal
        )
        for nominal in (0.8, 0.95)
    ]
    for nominal, margin in zip((0.8, 0.95), margins, strict=True):
        held = 0
        for answer, true in zip(prediction[2000:].tolist(), truth[2000:, 0].tolist(), strict=True):
            if head.kind == "regression":
                low, high = interval(head, answer, margin)
                held += low <= true <= high
            else:
                name = (
                    head.classes[int(true)].name
                    if head.classes
                    else ["not present", "present"][int(true)]
                )
                held += name in kept_classes(head, answer, margin)
        assert held / 2000 == pytest.approx(nominal, abs=0.02)


def test_a_regression_with_labels_has_a_margin_for_each() -> None:
    head = validate(
        HeadSpec,
        {"name": "s", "level": "machine", "kind": "regression", "labels": ["leak", "wear"]},
    )
    random = torch.Generator().manual_seed(0)
    truth = torch.rand(400, 2, generator=random)
    answer = truth + torch.tensor([0.1, 1.0]) * torch.randn(400, 2, generator=random)
    rows = located(answer, truth)
    spec = fit_calibration([head], HeldOut({"s": rows}, {}, np.arange(400), "windows"))
    assert spec.temperatures == {}
    error = (answer - truth).abs().sort(dim=0).values
    assert spec.conformal.margins["s"] == pytest.approx(error[-4].tolist())  # ⌈401 · 0.99⌉ = 397
    bootstrap = Bootstrap.of("windows", np.arange(400), np.arange(400))
    report = calibration_report([head], {"s": rows}, {"s": rows}, spec, bootstrap)
    found = report["conformal"]["heads"]["s"]
    assert found["coverage"] == pytest.approx(0.99, abs=0.01)
    assert found["size"] == pytest.approx(2 * error[-4].mean().item())


@pytest.mark.parametrize(("windows", "left_out"), [(200, 1), (99, 0), (60, 0), (49, 0)])
def test_few_windows_promise_what_they_can(windows: int, left_out: int) -> None:
    head = validate(HeadSpec, {"name": "s", "level": "machine", "kind": "regression"})
    random = torch.Generator().manual_seed(windows)
    truth = torch.rand(windows, 1, generator=random)
    answer = truth + torch.randn(windows, 1, generator=random)
    held_out = HeldOut({"s": located(answer, truth)}, {}, np.arange(windows), "windows")
    error = (answer - truth).abs().sort(dim=0).values
    margins = fit_calibration([head], held_out).conformal.margins
    assert margins["s"] == pytest.approx(error[-1 - left_out].tolist())


def test_a_head_with_too_few_windows_has_no_intervals() -> None:
    head = validate(HeadSpec, {"name": "s", "level": "machine", "kind": "regression"})
    truth = torch.rand(48, 1, generator=torch.Generator().manual_seed(0))
    held_out = HeldOut({"s": located(truth + 1, truth)}, {}, np.arange(48), "windows")
    assert fit_calibration([head], held_out).conformal.margins == {}


def test_a_calibration_is_plain_data_there_and_back() -> None:
    logits, target = overconfident(200, 2.0)
    held_out = HeldOut(
        {"valve": located(logits.softmax(1), target)}, {"pump": "why"}, np.arange(200), "windows"
    )
    spec = fit_calibration([GRADED], held_out)
    assert Calibration.model_validate(spec.model_dump(mode="json")) == spec
