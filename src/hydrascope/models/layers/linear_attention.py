"""Causal linear attention with optional decay, in chunks."""

import torch
from torch import Tensor

_CHUNK = 64
"""The number of steps in one masked matrix product. Up to it the quadratic form is fastest (no
Python loop, work T² d against T d²), and windows have 10 to 60 steps. Longer sequences are split
into chunks that pass on a state, so that the cost grows with T, not with T²."""


def causal_linear_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    log_decay: Tensor | None = None,
    chunk: int = _CHUNK,
) -> Tensor:
    """Return out_t = Σ_{s≤t} (q_t · k_s) Π_{u=s+1..t} g_u v_s, exactly, in O(T).

    This is the chunked form of the recurrence S_t = g_t S_{t−1} + k_t v_tᵀ, out_t = S_tᵀ q_t. A
    chunk is a masked matrix product, and the state S passes between chunks (S. Yang et al., "Gated
    Linear Attention Transformers with Hardware-Efficient Training", ICML 2024). Decays are
    differences of summed logarithms, because cumulative products of gates underflow.

    Args:
        query: [..., T, d].
        key: [..., T, d].
        value: [..., T, c].
        log_decay: log g_t ≤ 0, [..., T]; None for g = 1.
        chunk: The number of steps per chunk.

    Returns:
        [..., T, c].
    """
    steps = query.shape[-2]
    outputs: list[Tensor] = []
    state: Tensor | None = None
    for start in range(0, steps, chunk):
        part = slice(start, min(start + chunk, steps))
        q, k, v = query[..., part, :], key[..., part, :], value[..., part, :]
        scores = q @ k.mT
        if log_decay is None:
            from_start, to_end = q, k
            # On the CPU, tril on batches of small matrices is slower than a product.
            scores = scores * torch.ones_like(scores[(0,) * (scores.dim() - 2)]).tril()
        else:
            level = log_decay[..., part].cumsum(-1).unsqueeze(-1)
            future = torch.ones_like(scores, dtype=torch.bool).triu(1)
            # Fill before exp: a positive difference would overflow and spoil the gradient.
            scores = scores * (level - level.mT).masked_fill(future, -torch.inf).exp()
            from_start, to_end = q * level.exp(), k * (level[..., -1:, :] - level).exp()
        out = scores @ v
        if state is not None:
            out = out + from_start @ state
        outputs.append(out)
        if part.stop < steps:
            added = to_end.mT @ v
            if state is None:
                state = added
            elif log_decay is None:
                state = state + added
            else:
                state = level[..., -1:, :].exp() * state + added
    return torch.cat(outputs, dim=-2)
