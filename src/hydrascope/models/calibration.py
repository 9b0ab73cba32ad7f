"""Temperatures: how sure an answer is made, without changing which answer is the likeliest."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hydrascope.schemas.calibration import Calibration
from hydrascope.schemas.task import HeadKind, HeadSpec

_TINY = 1e-30
"""Stands in for a probability of 0, whose logarithm is none."""


def tempered(head: HeadSpec, probability: Tensor, temperature: Tensor) -> Tensor:
    """Return decoded probabilities as if their logits had been divided by a temperature.

        p' ∝ p^(1/T)

    (C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017), which for a softmax or
    a sigmoid is the same and holds for probabilities that no logits were kept of.

    Args:
        head: With probabilities.
        probability: [R, K], [R, 1] or [R, L], as `models.decode` gives them.
        temperature: [L] of a multi-label head, else [1].
    """
    log = probability.clamp_min(_TINY).log()
    if head.kind in (HeadKind.BINARY, HeadKind.MULTI_LABEL):
        against = (1.0 - probability).clamp_min(_TINY).log()
        return ((log - against) / temperature).sigmoid()
    return (log / temperature).softmax(dim=-1)


class Temperatures(nn.Module):
    """The part of a calibration that changes probabilities; it has buffers only.

    Args:
        heads: The task's heads.
        spec: What was fitted.
    """

    def __init__(self, heads: Sequence[HeadSpec], spec: Calibration) -> None:
        super().__init__()
        self.spec = spec
        self.heads = tuple(head for head in heads if head.name in spec.temperatures)
        for number, head in enumerate(self.heads):
            values = torch.tensor(spec.temperatures[head.name])
            self.register_buffer(f"temperature_{number}", values)

    def forward(self, answers: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the answers, those of calibrated heads tempered."""
        changed = {
            head.name: tempered(head, answers[head.name], self.get_buffer(f"temperature_{number}"))
            for number, head in enumerate(self.heads)
        }
        return answers | changed
