import pytest
import torch
from layer_checks import assert_close, assert_every_parameter_learns, exported, randomised
from torch.export import Dim

from hydrascope.models.blocks.temporal import TemporalBlock

STEPS = 6
SWITCHES = [
    {},
    {"states": "linear"},
    {"use_ma": False},
    {"use_ar": False},
    {"use_ar": False, "use_ma": False},
]


@pytest.mark.parametrize("switches", SWITCHES)
def test_unobserved_steps_anywhere_change_neither_summary_nor_observed_steps(switches):
    block = TemporalBlock(8, 2, STEPS, **switches)
    x, everywhere = torch.randn(3, 6, 8), torch.ones(3, 6, dtype=torch.bool)
    expected = block(x, everywhere)
    kept = [1, 2, 4, 5, 6, 8]  # the rest: before, between and behind
    longer = torch.full((3, 10, 8), torch.nan)
    longer[:, kept] = x
    observed = torch.zeros(3, 10, dtype=torch.bool)
    observed[:, kept] = True
    result = block(longer, observed)
    assert_close(result.sequence[:, kept], expected.sequence)
    assert_close(result.summary, expected.summary)
    if expected.arma is not None:
        assert_close(result.arma.residual[:, kept], expected.arma.residual)


def test_a_component_that_is_never_observed_comes_out_as_zero():
    block = TemporalBlock(8, 2, STEPS)
    result = block(torch.randn(2, 6, 8), torch.zeros(2, 6, dtype=torch.bool))
    assert (result.sequence == 0).all()
    assert (result.summary == 0).all()


@pytest.mark.parametrize("switches", SWITCHES)
def test_the_sequence_is_causal(switches):
    block, x = TemporalBlock(8, 2, STEPS, variant="softmax", **switches), torch.randn(3, 6, 8)
    observed, changed = torch.rand(3, 6) > 0.3, x.clone()
    changed[:, 4:] += 1.0
    before = block(x, observed).sequence[:, :4]
    assert_close(block(changed, observed).sequence[:, :4], before)


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("variant", ["linear", "gated", "softmax"])
def test_the_summary_alone_trains_every_parameter(variant, switches):
    block = TemporalBlock(8, 2, STEPS, variant=variant, **switches)
    observed = torch.rand(4, 6) > 0.3
    x = torch.randn(4, 6, 8).masked_fill(~observed.unsqueeze(-1), torch.nan)
    result = block(x, observed)
    assert result.summary.shape == (4, block.summary_channels)
    assert_every_parameter_learns(block, result.summary)


@pytest.mark.parametrize("states", ["spectral", "mlp"])
def test_states_of_the_whole_window_read_every_observed_step_and_nothing_else(states):
    block = randomised(TemporalBlock(8, 2, STEPS, states, use_ar=False, use_ma=False))
    x, observed = torch.randn(3, STEPS, 8), torch.ones(3, STEPS, dtype=torch.bool)
    observed[:, 2] = False
    x[:, 2] = torch.nan
    result = block(x, observed)
    assert result.arma is None
    for step in (0, 1, 3, 4, 5):
        changed = x.clone()
        changed[:, step] += 1.0
        moved = (block(changed, observed).sequence - result.sequence).abs().amax((0, 2))
        assert (moved > 1e-6).all()
    assert_every_parameter_learns(block, result.summary)


def test_the_forecasting_loss_reaches_the_lstm_and_the_ar_term():
    block = TemporalBlock(8, 2, STEPS)
    block(torch.randn(4, 6, 8), torch.rand(4, 6) > 0.3).arma.residual.square().sum().backward()
    query, key, _ = block.arma.project.weight.grad.split(8)
    for gradient in (query, key, block.states.input.weight.grad):
        assert gradient.abs().max() > 0


def test_it_exports_with_any_number_of_components():
    block, rows = TemporalBlock(8, 2, STEPS).eval(), Dim("N", min=1)
    inputs = (torch.randn(4, 6, 8), torch.rand(4, 6) > 0.3)
    program = exported(block, inputs, ({0: rows}, {0: rows}))
    for count in (1, 9):
        inputs = (torch.randn(count, 6, 8), torch.rand(count, 6) > 0.3)
        assert_close(program(*inputs).summary, block(*inputs).summary)
