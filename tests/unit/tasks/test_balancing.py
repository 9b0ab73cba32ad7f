"""Several losses made one, against their closed forms."""

import math

import pytest
import torch
from torch import nn

from hydrascope.schemas import HeadSpec, validate
from hydrascope.tasks.balancing import LossBalance, backward_apart

HEADS = [
    validate(HeadSpec, {"name": "life", "level": "machine", "kind": "regression", "weight": 2.0}),
    validate(HeadSpec, {"name": "fault", "level": "machine", "kind": "binary"}),
]
BOTH = torch.tensor([True, True])


def test_fixed_weights_are_those_of_the_heads() -> None:
    balance = LossBalance(HEADS, "fixed")
    assert balance(torch.tensor([3.0, 5.0]), BOTH).tolist() == [6.0, 5.0]
    assert not list(balance.parameters())


def test_learned_noise_settles_where_its_closed_form_has_it() -> None:
    # w c exp(−s) L + s/2 is least at exp(s) = 2 w c L: w L of a regression, 2 w L of classes.
    balance = LossBalance(HEADS, "uncertainty")
    losses = torch.tensor([0.7, 0.2])
    optimiser = torch.optim.LBFGS(balance.parameters(), max_iter=100)

    def total() -> torch.Tensor:
        optimiser.zero_grad()
        loss = balance(losses, BOTH).sum()
        loss.backward()
        return loss

    optimiser.step(total)
    variance = balance.log_variance.exp().tolist()
    assert variance == pytest.approx([2.0 * 0.7, 2 * 0.2], rel=1e-3)
    expected = sum(0.5 + 0.5 * math.log(v) for v in variance)
    assert balance(losses, BOTH).sum().item() == pytest.approx(expected, rel=1e-4)


def test_a_head_without_labels_adds_nothing_and_learns_no_noise() -> None:
    balance = LossBalance(HEADS, "uncertainty")
    added = balance(torch.tensor([0.0, 0.9]), torch.tensor([False, True]))
    assert added[0] == 0.0
    added.sum().backward()
    assert balance.log_variance.grad[0] == 0.0
    assert balance.log_variance.grad[1] != 0.0


def test_gradients_joined_apart_lower_every_loss_where_their_sum_raises_one() -> None:
    weight = nn.Parameter(torch.tensor([0.0, 0.0]))
    other = nn.Parameter(torch.tensor(1.0))
    slopes = torch.tensor([[10.0, 1.0], [-1.0, 1.0]])  # the sum climbs the second loss

    def losses() -> torch.Tensor:
        return slopes @ weight + torch.stack((other, other.detach()))

    losses().sum().backward()
    assert (slopes @ -weight.grad)[1] > 0
    weight.grad = other.grad = None
    backward_apart(losses(), [weight, other])
    assert (slopes @ -weight.grad <= 1e-6).all()
    assert other.grad is not None
