"""The health of components, as the report draws it."""

import math

import pytest
import torch

from hydrascope.evaluation.page.machines import component_health
from hydrascope.evaluation.predictions import LocatedPredictions
from hydrascope.schemas.task import HeadSpec

LEAK, LAG = (
    HeadSpec.model_validate(
        {
            "name": name,
            "level": "component",
            "kind": "multi_class",
            "healthy": 0,
            "classes": [{"value": 0, "name": "none"}, {"value": 1, "name": "some"}],
        }
    )
    for name in ("leak", "lag")
)


def answers(health: list[float], right: list[float] | None) -> LocatedPredictions:
    """Return answers to two components in one window."""
    sound = torch.tensor(health)
    return LocatedPredictions(
        torch.stack([sound, 1 - sound], dim=1),
        torch.zeros(len(health), 1),
        torch.zeros(len(health), dtype=torch.int64),
        torch.arange(len(health)),
        None if right is None else torch.tensor(right),
    )


def test_a_component_is_as_healthy_as_its_worst_reliable_answer() -> None:
    predictions = {
        "leak": answers([0.9, 0.2], [0.95, 0.5]),
        "lag": answers([0.7, 0.1], [0.99, 0.4]),
    }
    health = component_health([LEAK, LAG], predictions, {"leak": 0.9, "lag": 0.9})
    assert health.loc[0, 0] == pytest.approx(0.7)
    assert math.isnan(health.loc[0, 1])  # no answer is reliable


def test_without_a_judged_input_all_answers_count() -> None:
    health = component_health([LEAK], {"leak": answers([0.9, 0.2], None)}, {})
    assert health.tolist() == pytest.approx([0.9, 0.2])
