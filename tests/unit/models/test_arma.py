import math
from typing import NamedTuple

import pytest
import torch
from layer_checks import assert_close, assert_every_parameter_learns, exported
from torch import Tensor
from torch.export import Dim

from hydrascope.models.layers.arma import ARMAAttention

CHANNELS, HEADS, WIDTH = 8, 2, 4
VARIANTS = ["linear", "gated", "softmax"]


class _Explicit(NamedTuple):
    output: Tensor  # [T, C]
    ar: Tensor  # [H, T, d]
    ma: Tensor  # [H, T, d]
    residual: Tensor  # [H, T, d]
    beta: Tensor  # [H, T, T]


def _phi_query(z: Tensor) -> Tensor:
    return torch.where(z < 0, z, 0.02 * z) / math.sqrt(WIDTH)


def _phi_key(z: Tensor) -> Tensor:
    return torch.sigmoid(0.02 * z / math.sqrt(WIDTH))


def _layer(variant: str, **switches: bool) -> ARMAAttention:
    """A layer in float64 whose weights are large enough for every term to show."""
    layer = ARMAAttention(CHANNELS, HEADS, variant, **switches).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(parameter + 0.4 * torch.randn_like(parameter))
    return layer


@torch.no_grad()
def _explicit(layer: ARMAAttention, x: Tensor) -> _Explicit:
    """The O(T²) construction with materialised weights, one head and one entry at a time.

    `x` is one sequence [T, C] that is observed throughout.
    """
    steps = len(x)
    x = layer.norm.weight * x / (x.square().mean(-1, keepdim=True) + 2.220446049250313e-16).sqrt()
    weights = list(layer.project.weight.split(CHANNELS))
    k2_weight = weights.pop() if layer.strength is not None else None
    ar, ma, residual = torch.zeros(3, HEADS, steps, WIDTH, dtype=x.dtype)
    beta = torch.zeros(HEADS, steps, steps, dtype=x.dtype)
    for h in range(HEADS):
        part = slice(h * WIDTH, (h + 1) * WIDTH)
        v, q = x[:, part], (x @ weights[0].T)[:, part]
        if layer.use_ar:
            k = (x @ weights[1].T)[:, part]
            for t in range(steps):
                scores = torch.stack([q[t] @ k[s] / math.sqrt(WIDTH) for s in range(t + 1)])
                if layer.variant == "softmax":
                    a = scores.softmax(0)
                else:
                    decay = torch.ones(t + 1, dtype=x.dtype)
                    if layer.gate is not None:
                        gates = layer.gate(x)[:, h].sigmoid()
                        for s in range(t + 1):
                            decay[s] = math.prod(gates[u].item() for u in range(s + 1, t + 1))
                    a = scores * decay / decay.sum()
                ar[h, t] = a @ v[: t + 1]
        residual[h, 1:] = v[1:] - ar[h, :-1]
        if k2_weight is not None:
            k2 = (x @ k2_weight.T)[:, part]
            delay = 0 if layer.variant == "softmax" else 1
            for t in range(steps):
                for s in range(1, t + 1):
                    asked = q[t - delay]
                    size = (asked.square().mean() + 1e-6).sqrt()
                    gain = 2 * layer.strength[h].sigmoid()
                    gain = gain / (0.49 / math.sqrt(2 * math.pi) * math.sqrt(WIDTH) * size)
                    beta[h, t, s] = gain * _phi_query(asked) @ _phi_key(k2[s - 1])
            ma[h] = beta[h] @ residual[h]
    joined = (ar + ma).transpose(0, 1).reshape(steps, CHANNELS)
    return _Explicit(layer.out(joined), ar, ma, residual, beta)


def _everywhere(x: Tensor) -> Tensor:
    return torch.ones(x.shape[:2], dtype=torch.bool)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("use_ar", "use_ma"), [(True, True), (True, False), (False, True)])
def test_it_equals_the_explicit_construction_with_materialised_weights(variant, use_ar, use_ma):
    layer = _layer(variant, use_ar=use_ar, use_ma=use_ma)
    x = torch.randn(2, 9, CHANNELS, dtype=torch.float64)
    result = layer(x, _everywhere(x))
    for row in range(2):
        expected = _explicit(layer, x[row])
        assert_close(result.output[row], expected.output, 1e-10)
        residual = expected.residual.transpose(0, 1).reshape(9, CHANNELS)
        assert_close(result.residual[row], residual, 1e-10)
        forecast = expected.ar.transpose(0, 1).reshape(9, CHANNELS)
        assert_close(result.forecast[row, 1:], forecast[:-1], 1e-10)


@pytest.mark.parametrize("variant", ["linear", "gated"])
def test_it_equals_the_recurrence_in_constant_memory_over_many_steps(variant):
    layer = _layer(variant)
    x = torch.randn(1, 150, CHANNELS, dtype=torch.float64)
    normed = layer.norm(x)[0]
    query, key, key2 = layer.project(normed).chunk(3, -1)
    gates = layer.gate(normed).sigmoid() if variant == "gated" else torch.ones(150, HEADS)
    outputs = torch.zeros(150, CHANNELS, dtype=torch.float64)
    for h in range(HEADS):
        part = slice(h * WIDTH, (h + 1) * WIDTH)
        q, k, k2, v = query[:, part], key[:, part], key2[:, part], normed[:, part]
        state, errors = torch.zeros(2, WIDTH, WIDTH, dtype=torch.float64)
        count, o = 0.0, torch.zeros(WIDTH, dtype=torch.float64)
        for t in range(150):
            m = torch.zeros(WIDTH, dtype=torch.float64)
            if t:
                errors = errors + torch.outer(_phi_key(k2[t - 1]), v[t] - o)
                size = (q[t - 1].square().mean() + 1e-6).sqrt()
                strength = 2 * layer.strength[h].sigmoid()
                gain = strength / (0.49 / math.sqrt(2 * math.pi) * math.sqrt(WIDTH) * size)
                m = gain * _phi_query(q[t - 1]) @ errors
            state = gates[t, h] * state + torch.outer(k[t], v[t])
            count = gates[t, h] * count + 1
            o = q[t] @ state / math.sqrt(WIDTH) / count
            outputs[t, part] = o + m
    assert_close(layer(x, _everywhere(x)).output[0], layer.out(outputs), 1e-10)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_ma_term_is_the_moving_average_of_innovations_with_theta(variant):
    """With r_t = e_{t+1} issued at t, m = B r = Θ ε for ε = r − m and Θ = B (I − B)⁻¹."""
    layer = _layer(variant)
    explicit = _explicit(layer, torch.randn(9, CHANNELS, dtype=torch.float64))
    identity = torch.eye(8, dtype=torch.float64)
    for h in range(HEADS):
        b = explicit.beta[h, :8, 1:9]
        assert torch.equal(b, b.tril(-1))
        innovations = explicit.residual[h, 1:] - explicit.ma[h, :8]
        theta = b @ torch.linalg.inv(identity - b)
        assert_close(theta @ innovations, explicit.ma[h, :8], 1e-10)


@pytest.mark.parametrize("size", [0.1, 1.0, 10.0])
def test_the_typical_ma_weight_is_the_learned_strength_whatever_the_size_of_the_queries(size):
    layer = ARMAAttention(64, 2, "linear", use_ar=False)
    with torch.no_grad():
        layer.project.weight[:64] *= size
        layer.strength.copy_(torch.tensor([-1.0, 1.0]))
        layer.out.weight.copy_(torch.eye(64))
    # Without AR term e_1 = v_1, so that y_1 = β_11 v_1.
    result = layer(torch.randn(2000, 2, 64), torch.ones(2000, 2, dtype=torch.bool))
    beta = (result.output[:, 1] / result.value[:, 1]).view(-1, 2, 32).median(-1).values.mean(0)
    strength = 2 * layer.strength.sigmoid()
    assert ((strength > 0) & (strength < 2)).all()
    torch.testing.assert_close(beta, -strength, rtol=0.08, atol=0.0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_is_causal(variant):
    layer = _layer(variant)
    x = torch.randn(3, 8, CHANNELS, dtype=torch.float64)
    observed = torch.rand(3, 8) > 0.3
    result = layer(x, observed)
    for step in range(1, 8):
        changed, seen = x.clone(), observed.clone()
        changed[:, step:] += torch.randn(3, 8 - step, CHANNELS)
        seen[:, step:] = ~seen[:, step:]
        again = layer(changed, seen)
        assert_close(again.output[:, :step], result.output[:, :step], 1e-12)
        # The forecast of a step is made before it.
        assert_close(again.forecast[:, : step + 1], result.forecast[:, : step + 1], 1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_unobserved_steps_may_as_well_not_exist(variant):
    layer = _layer(variant)
    x = torch.randn(12, 9, CHANNELS, dtype=torch.float64)
    observed = torch.rand(12, 9) > 0.4
    observed[0] = False
    observed[1, :4] = False
    result = layer(x.masked_fill(~observed.unsqueeze(-1), torch.nan), observed)
    assert result.output.isfinite().all()
    assert (result.output[0] == 0).all()
    assert not result.forecast_valid[0].any()
    for row in range(1, 12):
        seen = observed[row]
        expected = _explicit(layer, x[row][seen])
        assert_close(result.output[row][seen], expected.output, 1e-10)
        residual = expected.residual.transpose(0, 1).reshape(-1, CHANNELS)
        assert_close(result.residual[row][seen], residual, 1e-10)
        assert (result.residual[row][~seen] == 0).all()
        assert result.forecast_valid[row].sum() == max(0, int(seen.sum()) - 1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_sequences_of_a_batch_do_not_see_each_other(variant):
    layer = _layer(variant)
    x, observed = torch.randn(4, 8, CHANNELS, dtype=torch.float64), torch.rand(4, 8) > 0.3
    alone = layer(x[2:3], observed[2:3])
    assert_close(layer(x, observed).output[2:3], alone.output, 1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("use_ar", "use_ma"), [(True, True), (True, False), (False, True)])
def test_every_parameter_and_every_key_gets_a_finite_gradient(variant, use_ar, use_ma):
    layer = ARMAAttention(CHANNELS, HEADS, variant, use_ar, use_ma)
    x, observed = torch.randn(4, 8, CHANNELS), torch.rand(4, 8) > 0.3
    observed[0] = False
    result = layer(x.masked_fill(~observed.unsqueeze(-1), torch.nan), observed)
    assert_every_parameter_learns(layer, result.output)
    for projection in layer.project.weight.grad.split(CHANNELS):  # q, k, K₂
        assert projection.abs().max() > 0


def test_the_linear_ar_term_does_not_grow_with_the_number_of_steps():
    layer = ARMAAttention(CHANNELS, HEADS, "linear", use_ma=False)
    x = torch.ones(1, 60, CHANNELS)
    forecast = layer(x, _everywhere(x)).forecast
    assert_close(forecast[:, 1], forecast[:, 59])


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_exports_with_any_number_of_sequences(variant):
    layer, rows = ARMAAttention(CHANNELS, HEADS, variant).eval(), Dim("N", min=1)
    x = torch.randn(4, 8, CHANNELS)
    program = exported(layer, (x, _everywhere(x)), ({0: rows}, {0: rows}))
    for count in (1, 9):
        inputs = (torch.randn(count, 8, CHANNELS), torch.rand(count, 8) > 0.3)
        assert_close(program(*inputs).output, layer(*inputs).output)


def test_impossible_arguments_are_refused_by_name():
    with pytest.raises(ValueError, match="channels=9 is not a multiple of attention_heads=2"):
        ARMAAttention(9, 2)
    with pytest.raises(ValueError, match="'cosine' is not 'linear', 'gated' or 'softmax'"):
        ARMAAttention(8, 2, "cosine")
    with pytest.raises(ValueError, match="its AR term, its MA term or both"):
        ARMAAttention(8, 2, use_ar=False, use_ma=False)
