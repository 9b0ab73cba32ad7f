"""A learned filter over the whole window."""

import torch
from torch import Tensor, nn


class SpectralTemporal(nn.Module):
    """Residual learned complex filter on the real FFT over the steps.

        y = x + irfft(W ⊙ rfft(x))

    W has one complex value per frequency and channel. This is a circular convolution as long as the
    window, the global filter of Y. Rao et al., "Global Filter Networks", NeurIPS 2021.

    NOT causal: every output step reads every input step, and the window wraps round. Use it only if
    the whole window is known. An inserted step would change the spectrum. Unobserved steps enter
    the filter as 0.

    Shapes: B sequences, T steps, C channels.

    Args:
        channels: C.
        steps: T; the filter has T // 2 + 1 frequencies.
    """

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        # Real and imaginary part: not all optimisers and DDP support complex parameters.
        self.filter = nn.Parameter(torch.randn(steps // 2 + 1, channels, 2) * 0.02)

    def forward(self, sequence: Tensor, observed: Tensor) -> Tensor:
        """Apply the filter: [B, T, C], [B, T] bool -> [B, T, C].

        Raises:
            ValueError: The sequence does not have `steps` steps.
        """
        if sequence.shape[1] != self.steps:
            raise ValueError(f"the filter is for {self.steps} steps, got {sequence.shape[1]}")
        known = sequence.masked_fill(~observed.unsqueeze(-1), 0.0)
        # In the filter's precision: there is no bfloat16 FFT.
        spectrum = torch.fft.rfft(known.to(self.filter.dtype), dim=1)
        filtered = torch.fft.irfft(
            spectrum * torch.view_as_complex(self.filter), n=self.steps, dim=1
        )
        response: Tensor = filtered.to(known.dtype)
        return known + response
