"""The loss of each kind of head, with missing labels masked, and their weighted sum."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hydrascope.models.layers.arma import ARMAOutput
from hydrascope.schemas.task import HeadKind, HeadSpec


def head_loss(head: HeadSpec, output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    """Return the mean loss of one head over its labelled rows; 0 where nothing is labelled.

    Regression: Huber. Binary and multi-label: binary cross-entropy. Multi-class: cross-entropy.
    Ordinal: cumulative binary cross-entropy over the K−1 thresholds (Niu et al., CVPR 2016).

    Args:
        head: Kind and size.
        output: [R, size] logits (values for a regression).
        target: [R, L]; NaN where missing.
        label_smoothing: Share of certainty taken from the labels of a multi-class head.
    """
    labelled = ~target.isnan()
    target = torch.where(labelled, target, 0.0)
    match head.kind:
        case HeadKind.REGRESSION:
            loss = F.huber_loss(output, target, reduction="none")
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            loss = F.binary_cross_entropy_with_logits(output, target, reduction="none")
        case HeadKind.MULTI_CLASS:
            loss = F.cross_entropy(
                output, target[:, 0].long(), reduction="none", label_smoothing=label_smoothing
            ).unsqueeze(1)
        case HeadKind.ORDINAL:
            above = (target > torch.arange(output.shape[1], device=output.device)).to(output.dtype)
            loss = F.binary_cross_entropy_with_logits(output, above, reduction="none")
            loss = loss.mean(dim=1, keepdim=True)
    return (loss * labelled).sum() / labelled.sum().clamp(min=1)


def task_loss(
    heads: Sequence[HeadSpec],
    outputs: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    label_smoothing: float,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the sum of the heads' losses by their weights (0 of none), and each by itself."""
    losses = {
        head.name: head_loss(head, outputs[head.name], targets[head.name], label_smoothing)
        for head in heads
    }
    weighted = [head.weight * losses[head.name] for head in heads]
    return torch.stack(weighted).sum() if weighted else torch.zeros(()), losses


def forecast_loss(arma: ARMAOutput) -> Tensor:
    """Return the mean Huber loss of the next-step forecast over steps that can be forecast.

    The value forecast is held fixed: the loss teaches the autoregression to forecast the states,
    not the states to be easy to forecast.
    """
    loss = F.huber_loss(arma.forecast, arma.value.detach(), reduction="none").mean(dim=-1)
    return (loss * arma.forecast_valid).sum() / arma.forecast_valid.sum().clamp(min=1)
