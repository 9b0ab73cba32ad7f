"""Losses with missing labels, against loops in NumPy."""

from math import exp, log, log1p

import numpy as np
import pytest
import torch
from torch import Tensor

from hydrascope.models.layers.arma import ARMAOutput
from hydrascope.schemas import HeadSpec, validate
from hydrascope.tasks.losses import (
    MaskedLoss,
    class_weights,
    forecast_loss,
    head_loss,
    means,
    task_losses,
)

NAN = float("nan")
ROWS = 40


def head(kind: str, **fields: object) -> HeadSpec:
    if kind in ("multi_class", "ordinal"):
        fields["classes"] = [{"value": v, "name": f"class {v}"} for v in (3, 20, 50, 100)]
    if kind == "multi_label":
        fields["labels"] = ["leak", "air", "wear"]
    return validate(HeadSpec, {"name": kind, "level": "machine", "kind": kind} | fields)


KINDS = ["regression", "binary", "multi_label", "multi_class", "ordinal"]


def rows(spec: HeadSpec, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Outputs and targets; about a third of the labels are missing."""
    generator = torch.Generator().manual_seed(seed)
    output = 3 * torch.randn(ROWS, spec.size, generator=generator)
    match spec.kind:
        case "regression":
            target = 3 * torch.randn(ROWS, 1, generator=generator)
        case "binary" | "multi_label":
            target = torch.randint(0, 2, (ROWS, spec.size), generator=generator).float()
        case _:
            target = torch.randint(0, 4, (ROWS, 1), generator=generator).float()
    target[torch.rand(target.shape, generator=generator) < 0.3] = NAN
    return output, target


def mean(loss: MaskedLoss) -> Tensor:
    return means([loss])[0][0]


def test_a_regression_with_labels_counts_each_label_that_is_known() -> None:
    output = torch.tensor([[0.5, 3.0], [0.0, 1.0]])
    target = torch.tensor([[0.0, 1.0], [NAN, 1.0]])
    loss = head_loss(head("regression", labels=["leak", "wear"]), output, target, 0.0)
    assert mean(loss).item() == pytest.approx((0.5 * 0.5**2 + (2.0 - 0.5) + 0.0) / 3)


def cross_entropy(logit: float, truth: float) -> float:
    """−truth log σ(logit) − (1 − truth) log(1 − σ(logit))."""
    return log1p(exp(-logit)) + (1 - truth) * logit


def loss_by_hand(spec: HeadSpec, output: Tensor, target: Tensor, smoothing: float) -> float:
    terms = []
    for logits, labels in zip(output.double().tolist(), target.double().tolist(), strict=True):
        if spec.kind == "multi_label":
            terms += [
                cross_entropy(z, y) for z, y in zip(logits, labels, strict=True) if not np.isnan(y)
            ]
            continue
        (label,) = labels
        if np.isnan(label):
            continue
        match spec.kind:
            case "regression":
                error = abs(logits[0] - label)
                terms.append(0.5 * error**2 if error < 1 else error - 0.5)
            case "binary":
                terms.append(cross_entropy(logits[0], label))
            case "multi_class":
                total = log(sum(exp(z) for z in logits))
                shares = [smoothing / len(logits)] * len(logits)
                shares[int(label)] += 1 - smoothing
                terms.append(sum(s * (total - z) for s, z in zip(shares, logits, strict=True)))
            case "ordinal":
                above = [cross_entropy(z, float(label > k)) for k, z in enumerate(logits)]
                terms.append(float(np.mean(above)))
    return float(np.mean(terms))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", KINDS)
def test_a_heads_loss_is_the_mean_over_its_labelled_rows(kind: str, smoothing: float) -> None:
    spec = head(kind)
    output, target = rows(spec)
    actual = mean(head_loss(spec, output, target, smoothing))
    assert actual.item() == pytest.approx(loss_by_hand(spec, output, target, smoothing), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_without_a_label_gets_no_gradient(kind: str) -> None:
    spec = head(kind)
    output, target = rows(spec)
    output.requires_grad_()
    mean(head_loss(spec, output, target, 0.1)).backward()
    assert output.grad is not None
    assert output.grad.isfinite().all()
    labelled = ~target.isnan().expand_as(output)
    assert (output.grad[~labelled] == 0).all()
    assert (output.grad[labelled] != 0).double().mean() > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_labelled_means_no_loss_and_no_gradient(kind: str) -> None:
    spec = head(kind)
    output, target = rows(spec)
    output.requires_grad_()
    loss = mean(head_loss(spec, output, torch.full_like(target, NAN), 0.1))
    assert loss.item() == 0.0
    loss.backward()
    assert torch.equal(output.grad, torch.zeros_like(output))


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_answer_costs_less_than_a_wrong_one(kind: str) -> None:
    spec = head(kind)
    _, target = rows(spec)
    target = target.nan_to_num(0.0)
    match spec.kind:
        case "regression":
            right = target
        case "binary" | "multi_label":
            right = 20 * target - 10
        case "multi_class":
            right = 20 * torch.nn.functional.one_hot(target[:, 0].long(), 4).float()
        case _:
            right = 20 * (target > torch.arange(3)).float() - 10
    assert mean(head_loss(spec, right, target, 0.0)).item() < 1e-3
    assert mean(head_loss(spec, -right, target, 0.0)).item() > 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_outputs_have_a_finite_loss(kind: str) -> None:
    spec = head(kind)
    output, target = rows(spec)
    loss = mean(head_loss(spec, 1e6 * output, target, 0.1))
    assert loss.isfinite()


def test_a_task_has_a_loss_for_each_head() -> None:
    heads = [head("binary"), head("ordinal"), head("regression")]
    outputs, targets = {}, {}
    for number, spec in enumerate(heads):
        outputs[spec.name], targets[spec.name] = rows(spec, seed=number)
    parts = task_losses(heads, outputs, targets, 0.0, {})
    expected = {
        spec.name: loss_by_hand(spec, outputs[spec.name], targets[spec.name], 0.0) for spec in heads
    }
    assert {n: mean(part).item() for n, part in parts.items()} == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("delta", [0.02, 0.5, 1.0, 4.0])
def test_beyond_delta_errors_count_by_their_size(delta: float) -> None:
    output, target = rows(head("regression"))
    loss = head_loss(head("regression", huber_delta=delta), output, target, 0.0)
    error = (output - target).double().numpy()
    error = abs(error[~np.isnan(error)])
    expected = np.where(error < delta, error**2 / (2 * delta), error - delta / 2).sum()
    assert loss.total.item() == pytest.approx(expected, rel=1e-5)
    assert loss.weight.item() == len(error)


def test_a_log_scale_compares_logarithms() -> None:
    output, target = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [20.0]])
    loss = head_loss(head("regression", scale="log"), output, target, 0.0)
    errors = [1.0 - log(1.0), log(21.0) - 2.0]
    assert mean(loss).item() == pytest.approx(np.mean([0.5, errors[1] - 0.5]))
    quantiles = head("regression", scale="log", quantiles=[0.25, 0.5])
    loss = head_loss(quantiles, torch.tensor([[1.0, 2.0]]), torch.tensor([[20.0]]), 0.0)
    assert mean(loss).item() == pytest.approx(
        np.mean([0.25 * (log(21.0) - 1.0), 0.5 * (log(21.0) - 2.0)])
    )


def test_the_pinball_loss_is_least_at_the_quantiles_of_the_labels() -> None:
    spec = head("regression", quantiles=[0.1, 0.5, 0.9])
    labels = np.random.default_rng(0).exponential(5.0, 301)
    target = torch.tensor(labels).unsqueeze(1)
    candidates = torch.linspace(0, 20, 401, dtype=torch.float64)
    best = []
    for only in torch.eye(3, dtype=torch.float64):
        losses = [mean(head_loss(spec, (c * only).expand(301, 3), target, 0.0)) for c in candidates]
        best.append(float(candidates[torch.stack(losses).argmin()]))
    assert best == pytest.approx(np.quantile(labels, [0.1, 0.5, 0.9]), abs=0.2)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("kind", ["binary", "multi_label", "multi_class"])
def test_a_focal_loss_weighs_each_row_by_how_wrong_it_is(kind: str, gamma: float) -> None:
    spec, plain = head(kind, focal_gamma=gamma), head(kind)
    output, target = rows(spec)
    terms = []
    for logits, labels in zip(output.double(), target.double(), strict=True):
        if kind == "multi_class":
            if not labels.isnan().any():
                p = float(logits.softmax(0)[int(labels)])
                terms.append((1 - p) ** gamma * -log(p))
            continue
        for z, y in zip(logits.tolist(), labels.tolist(), strict=True):
            if not np.isnan(y):
                p = 1 / (1 + exp(-z)) if y else 1 / (1 + exp(z))
                terms.append((1 - p) ** gamma * -log(p))
    assert mean(head_loss(spec, output, target, 0.0)).item() == pytest.approx(
        np.mean(terms), rel=1e-4
    )
    certain = (1e3 * output).requires_grad_()
    mean(head_loss(spec, certain, target, 0.0)).backward()
    assert certain.grad.isfinite().all()
    assert mean(head_loss(plain, output, target, 0.0)) > mean(head_loss(spec, output, target, 0.0))


@pytest.mark.parametrize("kind", ["binary", "multi_label", "multi_class", "ordinal"])
def test_class_weights_make_all_classes_count_the_same(kind: str) -> None:
    spec = head(kind, class_weights=True)
    output, target = rows(spec)
    rare = target == 1
    target[rare & (torch.arange(ROWS).unsqueeze(1) % 2 > 0)] = 0
    weights = class_weights(spec, target.unsqueeze(1))
    classes = weights.shape[1]
    weighted = mean(head_loss(spec, output, target, 0.0, weights)).item()
    by_class = []
    for column in range(target.shape[1]):
        for k in range(classes):
            only = torch.full_like(target, NAN)
            of_class = target[:, column] == k
            only[of_class, column] = float(k)
            by_class.append(mean(head_loss(spec, output, only, 0.0)).item())
    counts = (~target.isnan()).sum(0).repeat_interleave(classes).double().numpy()
    assert weighted == pytest.approx(np.average(by_class, weights=counts), rel=1e-5)


def test_a_class_that_never_comes_in_training_has_no_weight_and_the_rest_share_it() -> None:
    spec = head("multi_class", class_weights=True)
    weights = class_weights(spec, torch.tensor([[0.0], [0.0], [0.0], [1.0], [NAN]]))
    assert weights.tolist() == [pytest.approx([4 / (4 * 3), 4 / (4 * 1), 0.0, 0.0])]


def test_the_forecast_counts_where_there_was_something_to_forecast() -> None:
    generator = torch.Generator().manual_seed(0)
    value = 2 * torch.randn(3, 5, 4, generator=generator)
    forecast = 2 * torch.randn(3, 5, 4, generator=generator)
    valid = torch.rand(3, 5, generator=generator) > 0.4
    value.requires_grad_()
    forecast.requires_grad_()
    loss = mean(forecast_loss(ARMAOutput(value, value, forecast, valid)))
    errors = (forecast - value).detach().double().numpy()
    huber = np.where(abs(errors) < 1, 0.5 * errors**2, abs(errors) - 0.5)
    assert loss.item() == pytest.approx(huber[valid.numpy()].mean(), rel=1e-5)
    loss.backward()
    assert value.grad is None  # states are not pulled towards their forecast
    assert (forecast.grad[~valid] == 0).all()
    assert (forecast.grad[valid] != 0).all()


def test_a_single_step_has_nothing_to_forecast() -> None:
    states = torch.randn(3, 1, 4, requires_grad=True)
    loss = mean(forecast_loss(ARMAOutput(states, states, states * 2, torch.zeros(3, 1).bool())))
    assert loss.item() == 0.0
    loss.backward()
    assert (states.grad == 0).all()
