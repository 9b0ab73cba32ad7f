"""Features as a user writes them, for the tests."""

import torch
from torch import Tensor


def crest(samples: Tensor, rate_hz: Tensor) -> Tensor:
    """The largest magnitude over the root mean square."""
    rms = samples.square().mean(-1).sqrt()
    return samples.abs().amax(-1) / rms.clamp(min=1e-6)


def duration_s(samples: Tensor, rate_hz: Tensor) -> Tensor:
    """The length of the window."""
    return (samples.shape[-1] / rate_hz).expand(*samples.shape[:-1], 1).squeeze(-1)


def of_wrong_shape(samples: Tensor, rate_hz: Tensor) -> Tensor:
    return samples


def undefined(samples: Tensor, rate_hz: Tensor) -> Tensor:
    return torch.full(samples.shape[:-1], torch.nan)


NOT_A_FUNCTION = 3
