"""The evidence of sensors, beside that of healthy windows."""

import math

import torch

from hydrascope.models.blame.evidence import HealthyEvidence, raw_evidence


def test_shares_are_those_of_one_step() -> None:
    parts = torch.tensor([[8.0, 4.0, 4.0], [3.0, 6.0, 3.0]])
    steps = torch.zeros(2, 4)
    found = raw_evidence(parts, steps, steps, torch.ones(2, 4, dtype=torch.bool))
    torch.testing.assert_close(found[:, :2], torch.tensor([[2.0, 1.0], [1.0, 2.0]]))


def test_only_observed_steps_count() -> None:
    observed = torch.tensor([[True, True, False], [False, False, False]])
    parts = torch.tensor([[0.0, 0.5, 2.0], [0.0, 0.0, 0.0]])
    mean = torch.tensor([[1.0, 3.0, 100.0], [1.0, 1.0, 1.0]])
    found = raw_evidence(parts, mean, 2.0 * mean, observed)
    torch.testing.assert_close(found[0], torch.tensor([0.0, 0.25, 2.0, 4.0]))
    assert bool(found[1].isnan().all())


def test_evidence_is_relative_to_what_healthy_windows_reach() -> None:
    random = torch.Generator().manual_seed(0)
    healthy = torch.rand(2_000, 1, 4, generator=random) * torch.tensor([1.0, 8.0, 1.0, 1.0])
    scale = HealthyEvidence.of(healthy)
    # Uniform from 0: the 0.95 quantile is 0.95 of the width, the deviation its 12th's root.
    window = torch.tensor([[[0.95, 7.6, 0.5 + 2.0 / math.sqrt(12.0), 0.5]]])
    evidence, seen = scale.compare(window)
    assert bool(seen.all())
    expected = torch.tensor([0.0, 0.0, math.asinh(2.0), 0.0])
    torch.testing.assert_close(evidence[0, 0], expected, atol=0.05, rtol=0.0)


def test_a_sensor_without_healthy_windows_is_not_observed() -> None:
    healthy = torch.rand(50, 2, 4)
    healthy[:, 1] = torch.nan
    evidence, seen = HealthyEvidence.of(healthy).compare(torch.rand(3, 2, 4))
    assert seen.tolist() == [[True, False]] * 3
    assert bool((evidence[:, 1] == 0).all())


def test_a_mean_far_from_healthy_windows_keeps_its_sign() -> None:
    scale = HealthyEvidence.of(torch.rand(100, 1, 4, generator=torch.Generator().manual_seed(0)))
    windows = torch.tensor([[[1.0, 1.0, -9.0, -9.0]], [[1.0, 1.0, 9.0, 9.0]]])
    evidence, _ = scale.compare(windows)
    assert (evidence[0, 0, 2:] < -3.0).all()
    assert (evidence[1, 0, 2:] > 3.0).all()
