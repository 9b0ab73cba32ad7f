"""Attention with an autoregressive and a moving-average term."""

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.models.layers.linear_attention import causal_linear_attention
from hydrascope.models.layers.steps import carry_forward, previous_step

Variant = Literal["linear", "gated", "softmax"]

_LEAK = 0.02  # slope of φq above 0 and inside φk (from the code of the paper's authors)
_MEAN_WEIGHT = 0.5 * (1 - _LEAK) / math.sqrt(2 * math.pi)
"""The factor in −E[φq(q) · φk(k)] = 0.195 √d σ for q ~ N(0, σ²) of width d; φk is nearly 0.5."""
_INITIAL_STRENGTH = 0.5
_RMS_EPS = 1e-6


class ARMAOutput(NamedTuple):
    """The output of the attention and its forecast of each step."""

    output: Tensor
    """The output W_o (o_t + m_t), [B, T, C]; to be added to a residual stream."""
    value: Tensor
    """The normalised input v_t, [B, T, C]; 0 at unobserved steps."""
    forecast: Tensor
    """The AR term's forecast of v_t, [B, T, C]: o at the last observed step before t."""
    forecast_valid: Tensor
    """Whether step t and some earlier step are observed, [B, T] bool."""

    @property
    def residual(self) -> Tensor:
        """The residual e_t = v_t − o_{t−1}, [B, T, C]; 0 where `forecast_valid` is False."""
        return (self.value - self.forecast) * self.forecast_valid.unsqueeze(-1)


class ARMAAttention(nn.Module):
    """Causal attention that also reads the errors of its own forecasts.

    J. Lu et al., "WAVE: Weighted Autoregressive Varying Gate for Time Series Forecasting"
    (ICML 2025). Per head of width d, with x the RMS-normalised input and v_t = x_t itself:

        AR        o_t = Σ_{s≤t} a_ts v_s
        residual  e_s = v_s − o_{s−1}                                    (0 for the first step)
        MA        m_t = Σ_{1≤s≤t} g_{t−δ} φq(q_{t−δ}) · φk(K₂ x_{s−1}) e_s
        y_t = W_o (o_t + m_t)

    - `softmax`: a_ts = softmax_s(q_t·k_s/√d), δ = 0, O(T²).
    - `linear`: a_ts = q_t·k_s/√d, divided by the number of observed steps s ≤ t; δ = 1, O(T).
    - `gated`: as `linear`, with weights Π_{u=s+1..t} σ(w·x_u), divided by their sum.

    The division is not in the paper; without it o grows with T. φq(z) = z/√d for z < 0, otherwise
    0.02 z/√d; φk(z) = σ(0.02 z/√d).

    The implied MA weights are about −c (1−c)^lag, which is useful only for 0 < c < 2. c grows with
    √d and with the size of q. The gain g = c_head / (0.195 √d rms(q)) removes both dependences and
    leaves the learned c_head = 2 σ(θ).

    An unobserved step does not affect any other step. Its key and its residual are left out, and
    the next step uses the last observed one as its predecessor. Its own output repeats the past.

    Train with a next-step loss (`forecast` against `value` where `forecast_valid`). Without it, e
    is not a forecast error, and the MA term is not a moving average of errors.

    Shapes: B sequences, T steps (fixed when exported or compiled), C channels, H heads.

    Args:
        channels: C.
        attention_heads: H.
        variant: "linear", "gated" or "softmax".
        use_ar: False sets o = 0, so that e = v and nothing is forecast.
        use_ma: False sets m = 0; the value path does not change.

    Raises:
        ValueError: `channels` is not a multiple of `attention_heads`, the variant is unknown, or
            both terms are off.
    """

    def __init__(
        self,
        channels: int,
        attention_heads: int,
        variant: Variant = "linear",
        use_ar: bool = True,
        use_ma: bool = True,
    ) -> None:
        super().__init__()
        if channels % attention_heads:
            raise ValueError(f"channels={channels} is not a multiple of {attention_heads=}")
        if variant not in ("linear", "gated", "softmax"):
            raise ValueError(f"ARMA variant {variant!r} is not 'linear', 'gated' or 'softmax'")
        if not (use_ar or use_ma):
            raise ValueError("ARMA attention needs its AR term, its MA term or both")
        self.attention_heads = attention_heads
        self.variant = variant
        self.norm = nn.RMSNorm(channels)
        self.use_ar = use_ar
        # q, then the AR term's k, then the MA term's K₂, in one matrix product.
        self.project = nn.Linear(channels, (1 + use_ar + use_ma) * channels, bias=False)
        gated = use_ar and variant == "gated"
        self.gate = nn.Linear(channels, attention_heads) if gated else None
        strength = torch.full(
            (attention_heads,), math.log(_INITIAL_STRENGTH / (2 - _INITIAL_STRENGTH))
        )
        self.strength = nn.Parameter(strength) if use_ma else None
        self.out = nn.Linear(channels, channels, bias=False)
        nn.init.normal_(self.out.weight, std=0.02)
        if self.gate is not None:
            nn.init.constant_(self.gate.bias, 2.0)  # initially a memory of about eight steps

    def forward(self, sequence: Tensor, observed: Tensor, carried: bool = False) -> ARMAOutput:
        """Apply the attention to [B, T, C], [B, T] bool.

        Set `carried` if unobserved steps already repeat the last observed one, like the states of
        the LSTM.
        """
        x: Tensor = self.norm(sequence if carried else carry_forward(sequence, observed))
        valid = observed & (observed.cumsum(1) > 1)
        # Move heads before steps, once for all products below: [B, H, T, d].
        projected = torch.unflatten(
            self.project(x), -1, (-1, self.attention_heads, x.shape[-1] // self.attention_heads)
        )
        query, *keys = projected.permute(2, 0, 3, 1, 4).contiguous().unbind(0)
        value = x * observed.unsqueeze(-1)
        split_value = (
            torch.unflatten(value, -1, (self.attention_heads, -1)).transpose(1, 2).contiguous()
        )

        mixed = torch.zeros_like(split_value)
        if self.use_ar:
            mixed = self._autoregression(x, query, keys[0], split_value, observed)
        forecast = previous_step(_join(mixed))
        if self.strength is not None and x.shape[1] > 1:
            # The first step is left out from here on, because it has no forecast.
            residual = (split_value[..., 1:, :] - mixed[..., :-1, :]) * valid[:, None, 1:, None]
            average = self._moving_average(query, keys[-1], residual, self.strength)
            mixed = mixed + F.pad(average, (0, 0, 1, 0))
        return ARMAOutput(self.out(_join(mixed)), value, forecast, valid)

    def _autoregression(
        self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, observed: Tensor
    ) -> Tensor:
        """Return the AR term o, [B, H, T, d]."""
        width = math.sqrt(query.shape[-1])
        if self.variant == "softmax":
            logits = query @ key.mT / width
            allowed = torch.ones_like(logits, dtype=torch.bool).tril() & observed[:, None, None]
            weights = logits.masked_fill(~allowed, torch.finfo(logits.dtype).min).softmax(-1)
            # Before the first observed step the softmax is uniform and includes the future.
            return weights.masked_fill(~allowed, 0.0) @ value
        if self.gate is None:
            total = observed.cumsum(1).unsqueeze(1).to(value.dtype)
            weighted = causal_linear_attention(query, key, value)
        else:
            log_gate = F.logsigmoid(self.gate(x)).transpose(1, 2) * observed.unsqueeze(1)
            total = _decayed_count(log_gate.exp(), observed)
            weighted = causal_linear_attention(query, key, value, log_gate)
        # The newest observed step has weight 1, so a total below 1 means that there is none.
        return weighted * (width * total.clamp_min(1.0)).reciprocal().unsqueeze(-1)

    def _moving_average(
        self, query: Tensor, key: Tensor, residual: Tensor, strength: Tensor
    ) -> Tensor:
        """Return the MA term m from the second step on, [B, H, T − 1, d], like `residual`."""
        query = query[..., 1:, :] if self.variant == "softmax" else query[..., :-1, :]
        width = math.sqrt(query.shape[-1])
        rms = (query.square().mean(-1, keepdim=True) + _RMS_EPS).sqrt()
        gain = 2 * strength.sigmoid()[:, None, None] / (_MEAN_WEIGHT * width * rms)
        phi_query = F.leaky_relu(query, 1 / _LEAK) * (gain * _LEAK / width)
        phi_key = (_LEAK / width * key[..., :-1, :]).sigmoid()
        return causal_linear_attention(phi_query, phi_key, residual)


def _join(split: Tensor) -> Tensor:
    """Join the heads: [B, H, T, d] -> [B, T, H d]."""
    return split.transpose(1, 2).flatten(-2)


def _decayed_count(gate: Tensor, observed: Tensor) -> Tensor:
    """Return n_t = g_t n_{t−1} + observed_t: [B, H, T], [B, T] -> [B, H, T]."""
    running = torch.zeros_like(gate[..., 0])
    counts: list[Tensor] = []
    for decay, seen in zip(gate.unbind(-1), observed.unsqueeze(1).unbind(-1), strict=True):
        running = running * decay + seen
        counts.append(running)
    return torch.stack(counts, dim=-1)
