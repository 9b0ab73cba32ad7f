"""Division of telemetry into windows, and of windows into equal sub-windows."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from hydrascope.features.cleaning import clean
from hydrascope.features.config import CleaningConfig
from hydrascope.schemas.arguments import checked_fields
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.time import TimeWindow

Duration = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""In seconds."""


@checked_fields
@dataclass(frozen=True)
class WindowSpec:
    """`window_s` seconds every `stride_s` seconds, each cut into `steps` equal sub-windows.

    Attributes:
        last: Whether one more window ends with each extent, if the stride leads to none.
        padded: Whether an extent that is shorter than a window has one that ends with it. Its
            samples before the extent are missing.
    """

    window_s: Duration
    stride_s: Duration
    steps: Annotated[int, Field(ge=1)]
    last: bool = False
    padded: bool = False

    def count(self, extent: TimeWindow) -> int:
        """Return how many windows `extent` has."""
        room_s = self._room_s(extent)
        if room_s < -1e-9:
            return int(self.padded)
        strides = int(np.floor(room_s / self.stride_s + 1e-9))
        return strides + 1 + (self.last and room_s - strides * self.stride_s > 1e-6)

    def starts_s(
        self, extent: TimeWindow, first: int = 0, stop: int | None = None
    ) -> NDArray[np.float64]:
        """Return the starts of windows `first` to `stop` in seconds after the start of `extent`."""
        count = self.count(extent)
        starts_s = np.arange(first, count if stop is None else stop, dtype=np.float64)
        starts_s *= self.stride_s
        return np.minimum(starts_s, self._room_s(extent)) if self.last or self.padded else starts_s

    def _room_s(self, extent: TimeWindow) -> float:
        """Return the start of the window that ends with `extent`, in seconds after its start."""
        return (extent.end - extent.start).total_seconds() - self.window_s


def sub_windows(
    signal: Signal,
    starts_s: NDArray[np.float64],
    spec: WindowSpec,
    cleaning: CleaningConfig | None = None,
    from_s: float = 0.0,
) -> Tensor:
    """Cut a signal into [..., W, T, samples]; samples before and past it are missing (NaN).

    Each window is cleaned separately as a whole. It thus does not depend on neighbouring telemetry,
    and a service that only sees this window obtains the same result. A sensor with less than one
    sample in a sub-window repeats its last sample (hold).

    Args:
        signal: Signal from `from_s` on; its values can be [..., samples] of several sensors.
        starts_s: Starts of the windows in seconds after the start of the extent, which is the time
            of sample 0 of the whole recording.
        spec: Division into windows and sub-windows.
        cleaning: Cleaning of each window.
        from_s: Start of the signal in seconds after the start of the extent, at or before the first
            required sample.
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
        return values[..., _inside(index, count)]
    begin = index[:, :1, 0]
    within = index - begin.unsqueeze(-1)
    width = within[:, -1, -1:] + 1  # [W, 1]; rounding can change it by one sample
    offset = torch.arange(int(width.max()))
    whole = values[..., _inside(begin + offset, count)]
    whole = clean(torch.where(offset < width, whole, torch.nan), cleaning, signal.rate_hz)
    samples_of = within.flatten(1).expand(*whole.shape[:-1], -1)
    return whole.gather(-1, samples_of).reshape(*whole.shape[:-1], *within.shape[1:])


def _inside(index: Tensor, count: int) -> Tensor:
    """Return the positions of samples; `count` where there is none."""
    return torch.where(index < 0, count, index.clamp(max=count))
