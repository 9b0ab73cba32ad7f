"""The kernel against a naive loop, and every parameter of its metric at work."""

import math

import pytest
import torch
from torch import Tensor

from hydrascope.models.kernel.fit import left_out_loss
from hydrascope.models.kernel.metric import LearnedMetric, gram
from hydrascope.models.kernel.questions import Question
from hydrascope.models.kernel.rows import Rows
from hydrascope.models.kernel.transplant import Transplants

PLACES, STEPS, FAMILIES = 2, 3, [0, 1, 1, 2]
WIDTH = PLACES * STEPS * len(FAMILIES)


def learned(*, features: bool = True, embedding: bool = True) -> LearnedMetric:
    metric = LearnedMetric(PLACES, STEPS, FAMILIES, features=features, embedding=embedding)
    with torch.no_grad():
        for parameter in metric.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return metric


def some_rows(count: int, *, features: bool = True, embedding: bool = True) -> Rows:
    return Rows(
        torch.randn(count, WIDTH if features else 0, dtype=torch.float64),
        torch.randn(count, 5 if embedding else 0, dtype=torch.float64),
    )


def naive(metric: LearnedMetric, x: Rows, i: int, y: Rows, j: int) -> float:
    """Compute one entry of the kernel from its definition, in plain Python."""
    entry = 0.0
    if metric.gate is not None:
        gate, step = metric.gate.tolist(), metric.step_gate.tolist()
        weight = [
            math.exp(gate[p][family] + step[t])
            for p in range(PLACES)
            for t in range(STEPS)
            for family in FAMILIES
        ]
        length = math.sqrt(sum(w * w for w in weight))
        u = [w / length * v for w, v in zip(weight, x.features[i].tolist(), strict=True)]
        v = [w / length * v for w, v in zip(weight, y.features[j].tolist(), strict=True)]
        g = math.exp(metric.log_width.item())
        a = math.exp(metric.log_linear.item())
        distance = sum((m - n) ** 2 for m, n in zip(u, v, strict=True))
        entry += math.exp(-g * distance) / (2 * g)
        entry += a * sum(m * n for m, n in zip(u, v, strict=True))
    if metric.log_embedding is not None:
        c = math.exp(metric.log_embedding.item())
        distance = float((x.embedding[i] - y.embedding[j]).square().sum())
        entry += c * math.exp(-0.02 * distance) / (2 * 0.02)
    return entry


@pytest.mark.parametrize(("features", "embedding"), [(True, False), (False, True), (True, True)])
def test_the_kernel_is_its_definition_for_rows_and_their_transplants(
    features: bool, embedding: bool
) -> None:
    metric = learned(features=features, embedding=embedding)
    x = some_rows(4, features=features, embedding=embedding)
    added = Transplants(torch.tensor([1, 3]), torch.tensor([0, 2]), torch.tensor([2, 2]))
    written_out = Rows(
        *(torch.cat((p, p[[1]] + p[[0]] - p[[2]], p[[3]] + p[[2]] - p[[2]])) for p in x)
    )
    found = gram(x, metric.values(), added)
    expected = [[naive(metric, written_out, i, written_out, j) for j in range(6)] for i in range(6)]
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), atol=1e-10, rtol=0
    )
    torch.testing.assert_close(gram(x, metric.values()), found[:4, :4], atol=0, rtol=0)


def task() -> tuple[Rows, Tensor, list[Question]]:
    """Six combinations of three and two classes, three rows of each."""
    label = torch.cartesian_prod(torch.arange(3), torch.arange(2)).repeat_interleave(3, dim=0)
    rows = some_rows(len(label))
    rows.features[:, 0] += label[:, 0]
    rows.features[:, 7] += label[:, 1]
    return rows, label, [Question("a", 3, (0, 1, 2)), Question("b", 2, (0, 1))]


def test_the_left_out_loss_teaches_every_parameter() -> None:
    metric = learned()
    rows, label, questions = task()
    left_out_loss(metric, rows, label, questions).backward()
    for name, parameter in metric.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).all(), name


def test_the_gradient_of_the_left_out_loss_is_right() -> None:
    metric = learned()
    rows, label, questions = task()
    gate = metric.gate
    assert gate is not None
    left_out_loss(metric, rows, label, questions).backward()
    assert gate.grad is not None
    step = 1e-5
    for index in [(0, 0), (0, 2), (1, 1)]:
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                gate[index] += sign * step
                values.append(left_out_loss(metric, rows, label, questions).item())
                gate[index] -= sign * step
        slope = (values[0] - values[1]) / (2 * step)
        assert gate.grad[index].item() == pytest.approx(slope, rel=1e-4, abs=1e-8)
