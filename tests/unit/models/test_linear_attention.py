import pytest
import torch
from layer_checks import assert_close

from hydrascope.models.layers.linear_attention import causal_linear_attention


def _recurrence(query, key, value, log_decay):
    """S_t = g_t S_{t−1} + k_t v_tᵀ, out_t = S_tᵀ q_t, one step at a time."""
    state = torch.zeros(*key.shape[:-2], key.shape[-1], value.shape[-1], dtype=key.dtype)
    outputs = []
    for t in range(query.shape[-2]):
        added = key[..., t, :, None] * value[..., t, None, :]
        state = log_decay[..., t, None, None].exp() * state + added
        outputs.append((state.mT @ query[..., t, :, None]).squeeze(-1))
    return torch.stack(outputs, dim=-2)


@pytest.mark.parametrize("decays", [False, True])
@pytest.mark.parametrize("chunk", [1, 4, 11, 64])
def test_every_chunk_length_equals_the_recurrence(chunk, decays):
    query, key = torch.randn(2, 2, 3, 11, 4, dtype=torch.float64)
    value = torch.randn(2, 3, 11, 5, dtype=torch.float64)
    log_decay = -torch.rand(2, 3, 11, dtype=torch.float64) * decays
    result = causal_linear_attention(query, key, value, log_decay if decays else None, chunk)
    assert_close(result, _recurrence(query, key, value, log_decay), 1e-12)


def test_nearly_closed_gates_lose_no_accuracy_in_single_precision():
    query, key, value = torch.randn(3, 1, 64, 4)
    log_decay = torch.where(torch.rand(1, 64) > 0.5, -12.0, -0.01)
    exact = _recurrence(*(x.double() for x in (query, key, value, log_decay)))
    result = causal_linear_attention(query, key, value, log_decay)
    assert_close(result.double(), exact, 2e-4)


def test_the_gradient_through_closed_gates_is_finite():
    inputs = torch.randn(3, 1, 20, 4)
    log_decay = torch.full((1, 20), -200.0, requires_grad=True)
    causal_linear_attention(*inputs, log_decay).sum().backward()
    assert log_decay.grad.isfinite().all()
