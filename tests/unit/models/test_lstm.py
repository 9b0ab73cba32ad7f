import torch
from layer_checks import assert_close, assert_every_parameter_learns, exported
from torch import nn
from torch.export import Dim

from hydrascope.models.layers.lstm import MaskedLSTM


def _reference(layer: MaskedLSTM) -> nn.LSTM:
    reference = nn.LSTM(5, 7, batch_first=True)
    weights = {
        "weight_ih_l0": layer.input.weight,
        "weight_hh_l0": layer.recurrent.weight,
        "bias_ih_l0": layer.input.bias,
        "bias_hh_l0": torch.zeros(28),
    }
    reference.load_state_dict(weights)
    return reference


def test_with_every_step_observed_it_is_torch_lstm():
    layer = MaskedLSTM(5, 7)
    x = torch.randn(4, 6, 5)
    assert_close(layer(x, torch.ones(4, 6, dtype=torch.bool)), _reference(layer)(x)[0])


def test_it_is_torch_lstm_on_the_observed_steps_and_carries_its_state_over_the_others():
    layer = MaskedLSTM(5, 7)
    x, observed = torch.randn(8, 6, 5), torch.rand(8, 6) > 0.5
    x[~observed] = torch.nan
    result = layer(x, observed)
    for row in range(8):
        last, states = torch.zeros(7), iter(())
        if observed[row].any():
            states = iter(_reference(layer)(x[row][observed[row]])[0])
        for step in range(6):
            last = next(states) if observed[row, step] else last
            assert_close(result[row, step], last)


def test_its_backward_pass_is_the_derivative_of_its_forward_pass_over_unobserved_steps_too():
    layer = MaskedLSTM(3, 2).double()
    observed = torch.rand(4, 5) > 0.4
    x = torch.randn(4, 5, 3, dtype=torch.float64, requires_grad=True)
    weights = dict(layer.named_parameters())

    def states(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        named = dict(zip(weights, values, strict=True))
        return torch.func.functional_call(layer, named, (x, observed))

    assert torch.autograd.gradcheck(states, (x, *weights.values()))


def test_gradients_of_several_losses_may_be_taken_at_once():
    layer = MaskedLSTM(3, 2)
    states = layer(torch.randn(4, 5, 3), torch.rand(4, 5) > 0.4)
    directions = torch.randn(6, 4, 5, 2)
    weights = list(layer.parameters())
    together = torch.autograd.grad(
        states, weights, directions, retain_graph=True, is_grads_batched=True
    )
    for number, direction in enumerate(directions):
        alone = torch.autograd.grad(states, weights, direction, retain_graph=True)
        for one, other in zip(alone, together, strict=True):
            assert_close(one, other[number])


def test_it_is_causal():
    layer = MaskedLSTM(5, 7)
    x, observed = torch.randn(4, 6, 5), torch.rand(4, 6) > 0.3
    changed = x.clone()
    changed[:, 4:] += 1.0
    assert torch.equal(layer(x, observed)[:, :4], layer(changed, observed)[:, :4])


def test_every_parameter_gets_a_finite_gradient_though_unobserved_steps_are_nan():
    layer = MaskedLSTM(5, 7)
    x, observed = torch.randn(4, 6, 5), torch.rand(4, 6) > 0.3
    x[~observed] = torch.nan
    assert_every_parameter_learns(layer, layer(x, observed))


def test_it_exports_with_any_number_of_sequences():
    layer, rows = MaskedLSTM(5, 7).eval(), Dim("N", min=1)
    observed = torch.rand(4, 6) > 0.3
    program = exported(layer, (torch.randn(4, 6, 5), observed), ({0: rows}, {0: rows}))
    for count in (1, 9):
        inputs = (torch.randn(count, 6, 5), torch.rand(count, 6) > 0.3)
        assert_close(program(*inputs), layer(*inputs))
