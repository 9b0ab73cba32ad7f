"""How telemetry is cut: into windows, and each of them into equal sub-windows."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.features.cleaning import clean
from hydrascope.features.config import CleaningConfig
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.time import TimeWindow


@dataclass(frozen=True)
class WindowSpec:
    """`window_s` seconds every `stride_s` seconds, each cut into `steps` equal sub-windows."""

    window_s: float
    stride_s: float
    steps: int

    def count(self, extent: TimeWindow) -> int:
        """Return how many whole windows fit into `extent`."""
        room = (extent.end - extent.start).total_seconds() - self.window_s
        return int(np.floor(room / self.stride_s + 1e-9)) + 1 if room >= -1e-9 else 0

    def starts_s(self, extent: TimeWindow) -> NDArray[np.float64]:
        """Start of each whole window that fits into `extent`, in seconds after its start."""
        return np.arange(self.count(extent), dtype=np.float64) * self.stride_s


def sub_windows(
    signal: Signal,
    starts_s: NDArray[np.float64],
    spec: WindowSpec,
    cleaning: CleaningConfig | None = None,
    from_s: float = 0.0,
) -> Tensor:
    """Cut a signal into [..., W, T, samples]; samples past its end are missing (NaN).

    Each window is cleaned by itself, as a whole: what it holds does not depend on what was
    recorded beside it, so that a service that sees this window alone reads the same.

    A sensor slower than one sample in a sub-window gives its last sample before each (hold).

    Args:
        signal: Read from `from_s` on; its values may be [..., samples] of several sensors.
        starts_s: Start of each window in seconds after the start of the extent, where sample 0
            of the whole recording lies.
        spec: How windows are cut.
        cleaning: What is done to each window's samples first.
        from_s: Seconds after the start of the extent; at or before the first sample needed.
    """
    step_s = spec.window_s / spec.steps
    samples = max(1, int(step_s * signal.rate_hz + 1e-6))
    first_s = starts_s[:, None] + np.arange(spec.steps) * step_s
    first = np.floor(first_s * signal.rate_hz + 1e-6).astype(np.int64)
    first -= int(np.ceil(from_s * signal.rate_hz - 1e-6))
    index = torch.from_numpy(first).unsqueeze(-1) + torch.arange(samples)
    count = signal.values.shape[-1]
    values = F.pad(torch.from_numpy(signal.values), (0, 1), value=torch.nan)
    if cleaning is None or not cleaning.active:
        return values[..., index.clamp(max=count)]
    begin = index[:, :1, 0]
    within = index - begin.unsqueeze(-1)
    width = within[:, -1, -1:] + 1  # [W, 1]; rounding may give one sample more or less
    offset = torch.arange(int(width.max()))
    whole = values[..., (begin + offset).clamp(max=count)]
    whole = clean(torch.where(offset < width, whole, torch.nan), cleaning, signal.rate_hz)
    samples_of = within.flatten(1).expand(*whole.shape[:-1], -1)
    return whole.gather(-1, samples_of).reshape(*whole.shape[:-1], *within.shape[1:])
