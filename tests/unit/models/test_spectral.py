import math

import pytest
import torch
from layer_checks import assert_close, assert_every_parameter_learns, exported
from torch.export import Dim

from hydrascope.models.layers.spectral import SpectralTemporal


@pytest.mark.parametrize("steps", [5, 8])
def test_it_equals_a_naive_discrete_fourier_transform_filtered_and_inverted(steps):
    layer = SpectralTemporal(3, steps).double()
    x = torch.randn(2, steps, 3, dtype=torch.float64)
    result = layer(x, torch.ones(2, steps, dtype=torch.bool))
    weights = torch.view_as_complex(layer.filter.detach())
    response = torch.zeros(2, steps, 3, dtype=torch.complex128)
    for frequency in range(steps):
        # Frequencies above T/2 are the conjugates; those that are their own are real.
        weight = weights[min(frequency, steps - frequency)]
        weight = weight.conj() if frequency > steps / 2 else weight
        if frequency in (0, steps / 2):
            weight = weight.real + 0j
        waves = [
            complex(math.cos(a), math.sin(a))
            for a in (2 * math.pi * frequency * step / steps for step in range(steps))
        ]
        spectrum = sum(x[:, step] * waves[step].conjugate() for step in range(steps))
        for step in range(steps):
            response[:, step] += weight * spectrum * waves[step] / steps
    assert_close(response.imag, torch.zeros_like(x), 1e-12)
    assert_close(result, x + response.real, 1e-12)


def test_what_stands_at_an_unobserved_step_is_never_read():
    layer = SpectralTemporal(3, 8)
    x, observed = torch.randn(2, 8, 3), torch.rand(2, 8) > 0.3
    other = x.masked_fill(~observed.unsqueeze(-1), torch.nan)
    assert torch.equal(layer(x, observed), layer(other, observed))
    assert_every_parameter_learns(layer, layer(other, observed))


def test_another_number_of_steps_is_refused():
    with pytest.raises(ValueError, match="for 8 steps, got 7"):
        SpectralTemporal(3, 8)(torch.randn(2, 7, 3), torch.ones(2, 7, dtype=torch.bool))


def test_it_exports_with_any_number_of_sequences():
    layer, rows = SpectralTemporal(3, 8).eval(), Dim("N", min=1)
    everywhere = torch.ones(4, 8, dtype=torch.bool)
    program = exported(layer, (torch.randn(4, 8, 3), everywhere), ({0: rows}, {0: rows}))
    x = torch.randn(1, 8, 3)
    assert_close(program(x, everywhere[:1]), layer(x, everywhere[:1]))
