import pytest
import torch
from layer_checks import assert_close, assert_every_parameter_learns, exported
from torch.export import Dim

from hydrascope.models.blocks.temporal import ARMALSTM

SWITCHES = [
    {},
    {"use_lstm": False},
    {"use_ma": False},
    {"use_ar": False},
    {"use_ar": False, "use_ma": False},
]


@pytest.mark.parametrize("switches", SWITCHES)
def test_unobserved_steps_anywhere_change_neither_summary_nor_observed_steps(switches):
    block = ARMALSTM(5, 8, 2, **switches)
    x, everywhere = torch.randn(3, 6, 5), torch.ones(3, 6, dtype=torch.bool)
    expected = block(x, everywhere)
    kept = [1, 2, 4, 5, 6, 8]  # the rest: before, between and behind
    longer = torch.full((3, 10, 5), torch.nan)
    longer[:, kept] = x
    observed = torch.zeros(3, 10, dtype=torch.bool)
    observed[:, kept] = True
    result = block(longer, observed)
    assert_close(result.sequence[:, kept], expected.sequence)
    assert_close(result.summary, expected.summary)
    if expected.arma is not None:
        assert_close(result.arma.residual[:, kept], expected.arma.residual)


def test_a_component_that_is_never_observed_comes_out_as_zero():
    block = ARMALSTM(5, 8, 2)
    result = block(torch.randn(2, 6, 5), torch.zeros(2, 6, dtype=torch.bool))
    assert (result.sequence == 0).all()
    assert (result.summary == 0).all()


@pytest.mark.parametrize("switches", SWITCHES)
def test_the_sequence_is_causal(switches):
    block, x = ARMALSTM(5, 8, 2, "softmax", **switches), torch.randn(3, 6, 5)
    observed, changed = torch.rand(3, 6) > 0.3, x.clone()
    changed[:, 4:] += 1.0
    before = block(x, observed).sequence[:, :4]
    assert_close(block(changed, observed).sequence[:, :4], before)


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("variant", ["linear", "gated", "softmax"])
def test_the_summary_alone_trains_every_parameter(variant, switches):
    block = ARMALSTM(5, 8, 2, variant, **switches)
    observed = torch.rand(4, 6) > 0.3
    x = torch.randn(4, 6, 5).masked_fill(~observed.unsqueeze(-1), torch.nan)
    result = block(x, observed)
    assert result.summary.shape == (4, block.summary_channels)
    assert_every_parameter_learns(block, result.summary)


def test_the_forecasting_loss_reaches_the_lstm_and_the_ar_term():
    block = ARMALSTM(5, 8, 2)
    block(torch.randn(4, 6, 5), torch.rand(4, 6) > 0.3).arma.residual.square().sum().backward()
    query, key, _ = block.arma.project.weight.grad.split(8)
    for gradient in (query, key, block.lstm.input.weight.grad):
        assert gradient.abs().max() > 0


def test_it_exports_with_any_number_of_components():
    block, rows = ARMALSTM(5, 8, 2).eval(), Dim("N", min=1)
    inputs = (torch.randn(4, 6, 5), torch.rand(4, 6) > 0.3)
    program = exported(block, inputs, ({0: rows}, {0: rows}))
    for count in (1, 9):
        inputs = (torch.randn(count, 6, 5), torch.rand(count, 6) > 0.3)
        assert_close(program(*inputs).summary, block(*inputs).summary)
