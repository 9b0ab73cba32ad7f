from itertools import pairwise
from math import cos, pi

import pytest
import torch

from hydrascope.training.schedule import WarmupCosine


def test_the_rate_rises_linearly_to_its_peak_and_falls_as_a_cosine_to_its_end() -> None:
    factor = WarmupCosine(warmup_fraction=0.1, final_fraction=0.01).over(100)
    values = [factor(step) for step in range(101)]
    assert values[:10] == pytest.approx([k / 10 for k in range(1, 11)])
    expected = [0.01 + 0.99 * 0.5 * (1 + cos(pi * (k - 10) / 90)) for k in range(10, 101)]
    assert values[10:] == pytest.approx(expected)
    assert max(values) == values[9] == values[10] == 1.0
    assert values[55] == pytest.approx(0.505)  # half way down
    assert values[100] == pytest.approx(0.01)


def test_the_rate_never_rises_after_the_warm_up_nor_past_the_planned_end() -> None:
    factor = WarmupCosine(warmup_fraction=0.05, final_fraction=0.1).over(321)
    values = [factor(step) for step in range(16, 400)]
    assert all(later <= earlier for earlier, later in pairwise(values))
    assert factor(10_000) == pytest.approx(0.1)


@pytest.mark.parametrize("warmup_fraction", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 10])
def test_every_step_of_even_a_tiny_training_has_a_rate(steps: int, warmup_fraction: float) -> None:
    factor = WarmupCosine(warmup_fraction, final_fraction=0.01).over(steps)
    values = [factor(step) for step in range(steps)]
    assert all(0 < value <= 1 for value in values)
    assert max(values) == 1.0


def test_the_optimiser_steps_at_the_scheduled_rates() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    factor = WarmupCosine(0.2, 0.0).over(10)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    for step in range(10):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * factor(step))
        optimizer.step()
        schedule.step()
