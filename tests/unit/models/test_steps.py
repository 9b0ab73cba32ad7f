import torch

from hydrascope.models.layers.steps import carry_forward, previous_step


def test_an_unobserved_step_repeats_the_last_observed_one():
    generator = torch.Generator().manual_seed(0)
    for steps in (1, 2, 7, 16, 33):
        sequence = torch.randn(4, steps, 3, generator=generator)
        observed = torch.rand(4, steps, generator=generator) > 0.6
        expected = torch.zeros_like(sequence)
        for row in range(4):
            last = torch.zeros(3)
            for step in range(steps):
                last = sequence[row, step] if observed[row, step] else last
                expected[row, step] = last
        assert torch.equal(carry_forward(sequence, observed), expected)


def test_nan_at_an_unobserved_step_reaches_neither_value_nor_gradient():
    sequence = torch.tensor([[[torch.nan], [1.0], [torch.nan]]], requires_grad=True)
    carried = carry_forward(sequence, torch.tensor([[False, True, False]]))
    assert carried.flatten().tolist() == [0.0, 1.0, 1.0]
    carried.sum().backward()
    assert sequence.grad.flatten().tolist() == [0.0, 2.0, 0.0]


def test_previous_step_delays_by_one_and_starts_with_zero():
    sequence = torch.arange(1.0, 4.0).view(1, 3, 1)
    assert previous_step(sequence).flatten().tolist() == [0.0, 1.0, 2.0]
