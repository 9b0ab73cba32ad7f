"""The kernel against a naive loop, and every parameter of its metric at work."""

import math

import pytest
import torch
from torch import Tensor

from hydrascope.models.base import Question
from hydrascope.models.kernel.fit import left_out_loss
from hydrascope.models.kernel.metric import LearnedMetric, gram
from hydrascope.models.kernel.transplant import Transplants

PLACES, STEPS, FAMILIES = 2, 3, [0, 1, 1, 2]
WIDTH = PLACES * STEPS * len(FAMILIES)


def learned() -> LearnedMetric:
    metric = LearnedMetric(PLACES, STEPS, FAMILIES)
    with torch.no_grad():
        for parameter in metric.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return metric


def some_rows(count: int) -> Tensor:
    return torch.randn(count, WIDTH, dtype=torch.float64)


def naive(metric: LearnedMetric, x: list[float], y: list[float]) -> float:
    """Compute one entry of the kernel from its definition, in plain Python."""
    gate, step = metric.gate.tolist(), metric.step_gate.tolist()
    weight = [
        math.exp(gate[p][family] + step[t])
        for p in range(PLACES)
        for t in range(STEPS)
        for family in FAMILIES
    ]
    length = math.sqrt(sum(w * w for w in weight))
    u = [w / length * v for w, v in zip(weight, x, strict=True)]
    v = [w / length * v for w, v in zip(weight, y, strict=True)]
    g = math.exp(metric.log_width.item())
    a = math.exp(metric.log_linear.item())
    distance = sum((m - n) ** 2 for m, n in zip(u, v, strict=True))
    entry = math.exp(-g * distance) / (2 * g)
    return entry + a * sum(m * n for m, n in zip(u, v, strict=True))


def test_the_kernel_is_its_definition_for_rows_and_their_transplants() -> None:
    metric, x = learned(), some_rows(4)
    added = Transplants(torch.tensor([1, 3]), torch.tensor([0, 2]), torch.tensor([2, 2]))
    written_out = torch.cat((x, x[[1]] + x[[0]] - x[[2]], x[[3]] + x[[2]] - x[[2]]))
    found = gram(x, metric.values(), added)
    rows = written_out.tolist()
    expected = [[naive(metric, one, other) for other in rows] for one in rows]
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), atol=1e-10, rtol=0
    )
    torch.testing.assert_close(gram(x, metric.values()), found[:4, :4], atol=0, rtol=0)


def task() -> tuple[Tensor, Tensor, list[Question]]:
    """Six combinations of three and two classes, three rows of each."""
    label = torch.cartesian_prod(torch.arange(3), torch.arange(2)).repeat_interleave(3, dim=0)
    rows = some_rows(len(label))
    rows[:, 0] += label[:, 0]
    rows[:, 7] += label[:, 1]
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
