"""Temperature scaling: corrects the confidence of an answer, but keeps the most likely class."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hydrascope.schemas.calibration import Calibration
from hydrascope.schemas.task import HeadKind, HeadSpec

_TINY = 1e-30
"""The replacement for a probability of 0, which has no logarithm."""


def tempered(head: HeadSpec, probability: Tensor, temperature: Tensor) -> Tensor:
    """Apply temperature scaling to decoded probabilities.

        p' ∝ p^(1/T)

    For a softmax or a sigmoid this equals the division of the logits by T (C. Guo et al., "On
    Calibration of Modern Neural Networks", ICML 2017). It needs no logits.

    Args:
        head: A head with probabilities.
        probability: [R, K], [R, 1] or [R, L], as returned by `models.decode`.
        temperature: T, [L] for a multi-label head, otherwise [1].
    """
    log = probability.clamp_min(_TINY).log()
    if head.kind in (HeadKind.BINARY, HeadKind.MULTI_LABEL):
        log_absent = (1.0 - probability).clamp_min(_TINY).log()
        return ((log - log_absent) / temperature).sigmoid()
    return (log / temperature).softmax(dim=-1)


class Temperatures(nn.Module):
    """Scales the probabilities of a diagnoser by fitted temperatures; has only buffers.

    Args:
        heads: The heads of the task.
        spec: The fitted calibration.
    """

    def __init__(self, heads: Sequence[HeadSpec], spec: Calibration) -> None:
        super().__init__()
        self.spec = spec
        self.heads = tuple(head for head in heads if head.name in spec.temperatures)
        for number, head in enumerate(self.heads):
            values = torch.tensor(spec.temperatures[head.name])
            self.register_buffer(f"temperature_{number}", values)

    def forward(self, answers: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the answers, with the temperatures applied to the calibrated heads."""
        changed = {
            head.name: tempered(head, answers[head.name], self.get_buffer(f"temperature_{number}"))
            for number, head in enumerate(self.heads)
        }
        return answers | changed
