"""The loss of each kind of head, with missing labels masked and averages over all processes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from hydrascope.models.decode import learned
from hydrascope.models.layers.arma import ARMAOutput
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.tasks.quantile_scores import pinball


class MaskedLoss(NamedTuple):
    """A loss before the division by its total weight."""

    total: Tensor
    """The weighted sum over labelled entries, []."""
    weight: Tensor
    """The sum of the weights of the labelled entries, []; 0 without labels."""


def head_loss(
    head: HeadSpec,
    output: Tensor,
    target: Tensor,
    label_smoothing: float,
    class_weights: Tensor | None = None,
) -> MaskedLoss:
    """Return the loss of one head over its labelled rows.

    - Regression: the Huber loss divided by δ (e² / 2δ up to |e| = δ, |e| − δ/2 beyond). With
      quantiles it is the `pinball` loss. With `scale: log` both compare logarithms.
    - Binary and multi-label: binary cross-entropy.
    - Multi-class: cross-entropy.
    - Ordinal: cumulative binary cross-entropy over the K−1 thresholds (Niu et al., CVPR 2016).

    With a focal γ, binary, multi-label and multi-class losses are multiplied by (1 − p)^γ, where p
    is the probability of the true class (Lin et al., ICCV 2017).

    Args:
        head: The head, with its kind, size, quantiles and focal γ.
        output: The logits, or values for a regression, [R, size].
        target: [R, L]; NaN where missing.
        label_smoothing: The label smoothing of a multi-class head.
        class_weights: The result of `class_weights`, [L, K]; None for all 1.
    """
    labelled = ~target.isnan()
    target = torch.where(labelled, target, 0.0)
    match head.kind:
        case HeadKind.REGRESSION if head.quantiles:
            loss = pinball(head, output, learned(head, target)).unsqueeze(1)
        case HeadKind.REGRESSION:
            delta, value = head.huber_delta, learned(head, target)
            loss = F.huber_loss(output, value, reduction="none", delta=delta) / delta
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            loss = F.binary_cross_entropy_with_logits(output, target, reduction="none")
            if head.focal_gamma:
                loss = loss * _doubt(-loss, head.focal_gamma)
        case HeadKind.MULTI_CLASS:
            truth = target[:, 0].long()
            loss = F.cross_entropy(
                output, truth, reduction="none", label_smoothing=label_smoothing
            ).unsqueeze(1)
            if head.focal_gamma:
                log_truth = output.log_softmax(-1).gather(1, truth.unsqueeze(1))
                loss = loss * _doubt(log_truth, head.focal_gamma)
        case HeadKind.ORDINAL:
            above = (target > torch.arange(output.shape[1], device=output.device)).to(output.dtype)
            loss = F.binary_cross_entropy_with_logits(output, above, reduction="none")
            loss = loss.mean(dim=1, keepdim=True)
    weights = labelled.to(loss.dtype)
    if class_weights is not None:
        column = torch.arange(target.shape[1], device=target.device)
        weights = weights * class_weights.to(loss)[column, target.long()]
    return MaskedLoss((loss * weights).sum(), weights.sum())


def _doubt(log_truth: Tensor, gamma: float) -> Tensor:
    """Return (1 − p)^γ from log p, clipped above 0, where a small power has no gradient."""
    doubt = -torch.expm1(log_truth)
    return doubt.clamp_min(torch.finfo(doubt.dtype).eps).pow(gamma)


def class_weights(head: HeadSpec, target: Tensor) -> Tensor:
    """Return weights that give all classes the same total weight in the training labels.

    w_k = n / (K n_k), with n labelled entries, n_k of them of class k; 0 for an empty class.

    Args:
        head: A head with classes; binary and multi-label heads have two.
        target: [..., L]; NaN where missing.

    Returns:
        [L, K].
    """
    classes = len(head.classes) or 2
    rows = target.flatten(0, -2)
    counts = torch.stack([(rows == k).sum(0) for k in range(classes)], dim=-1)  # [L, K]
    weights = counts.sum(-1, keepdim=True) / (classes * counts.clamp(min=1))
    return weights * (counts > 0)


def forecast_loss(arma: ARMAOutput) -> MaskedLoss:
    """Return the Huber loss of the next-step forecast over steps that can be forecast.

    The target is detached: the loss trains the autoregression to forecast the states, not the
    states to be easy to forecast.
    """
    loss = F.huber_loss(arma.forecast, arma.value.detach(), reduction="none").mean(dim=-1)
    valid = arma.forecast_valid.to(loss.dtype)
    return MaskedLoss((loss * valid).sum(), valid.sum())


def task_losses(
    heads: Sequence[HeadSpec],
    outputs: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    label_smoothing: float,
    weights: Mapping[str, Tensor],
) -> dict[str, MaskedLoss]:
    """Return each head's loss by name; `weights` holds the class weights of some heads."""
    return {
        head.name: head_loss(
            head, outputs[head.name], targets[head.name], label_smoothing, weights.get(head.name)
        )
        for head in heads
    }


def means(losses: Sequence[MaskedLoss]) -> tuple[Tensor, Tensor]:
    """Return the weighted mean of each loss, [K], and whether it has any weight, [K] bool.

    With several processes, each divides by an equal share of the total weight of all processes.
    DDP averages gradients over the processes, so the result is the mean over all entries.
    """
    counts = torch.stack([loss.weight for loss in losses])
    share = 1
    if dist.is_available() and dist.is_initialized():
        share = dist.get_world_size()
        dist.all_reduce(counts)
    counted = counts > 0
    counts = torch.where(counted, counts, 1.0) / share
    return torch.stack([loss.total for loss in losses]) / counts, counted
