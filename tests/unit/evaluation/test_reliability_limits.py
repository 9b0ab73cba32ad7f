"""Limits of reliable answers keep the share of windows that have an unreliable one."""

import pytest
import torch

from hydrascope.evaluation.reliability_limits import joint_limits


def below(lowest: torch.Tensor, limits: torch.Tensor) -> float:
    """Return the share of windows of which some head lies below its limit."""
    return int((lowest < limits.unsqueeze(1)).any(0).sum()) / lowest.shape[1]


@pytest.mark.parametrize("heads", [1, 7, 40])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.2])
def test_as_many_windows_as_stated_have_an_unreliable_answer_however_many_heads_there_are(
    heads: int, share: float
) -> None:
    random = torch.Generator().manual_seed(heads)
    power = 1 + torch.arange(heads).unsqueeze(1) % 7
    lowest = torch.rand(heads, 2000, generator=random) ** power
    found = below(lowest, joint_limits(lowest, share))
    assert share - heads / 2000 <= found <= share


def test_heads_that_doubt_the_same_windows_have_the_limit_of_one_head() -> None:
    one = torch.rand(1, 1000, generator=torch.Generator().manual_seed(0))
    several = torch.cat([one, one.square(), one.sqrt()])
    limits = joint_limits(several, 0.05)
    torch.testing.assert_close(limits[:1], joint_limits(one, 0.05))
    torch.testing.assert_close(limits[1:], torch.stack([limits[0] ** 2, limits[0].sqrt()]))


def test_a_head_that_is_always_as_sure_takes_no_window_from_the_others() -> None:
    one = torch.rand(1, 1000, generator=torch.Generator().manual_seed(0))
    both = torch.cat([one, torch.full_like(one, 0.98)])
    limits = joint_limits(both, 0.02)
    torch.testing.assert_close(limits, torch.cat([joint_limits(one, 0.02), torch.tensor([0.98])]))


def test_heads_without_an_answer_to_some_windows_are_judged_by_the_others() -> None:
    random = torch.Generator().manual_seed(0)
    lowest = torch.rand(2, 1000, generator=random)
    lowest[1, ::2] = torch.inf
    found = below(lowest, joint_limits(lowest, 0.02))
    assert 0.018 <= found <= 0.02
