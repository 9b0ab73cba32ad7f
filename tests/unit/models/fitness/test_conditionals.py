"""Distances of sensors from their conditional means, held against the partitioned covariance."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hydrascope.models.fitness.conditionals import QUANTILES, Conditionals, Fitted

SENSORS, VALUES = 4, 3
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def covariance() -> Array:
    factors = np.random.default_rng(0).normal(size=(SENSORS * VALUES, 5))
    return factors @ factors.T + 0.2 * np.eye(SENSORS * VALUES)


@pytest.fixture(scope="module")
def conditionals(covariance: Array) -> Conditionals:
    limit = torch.arange(1.0, SENSORS + 1.0, dtype=torch.float64)
    shape = (SENSORS, VALUES)
    precision = torch.from_numpy(np.linalg.inv(covariance))
    zero, one = torch.zeros(shape), torch.ones(shape)
    usual, spread = limit / 4, torch.zeros(SENSORS)
    return Conditionals(Fitted(zero, one, precision, limit, usual, spread, torch.zeros(QUANTILES)))


def block(sensors: list[int]) -> list[int]:
    return [VALUES * sensor + value for sensor in sensors for value in range(VALUES)]


def conditional(covariance: Array, x: Array, sensor: int, others: list[int]) -> tuple[Array, Array]:
    """Mean and covariance of a sensor given others, by the partitioned covariance (Schur)."""
    own, given = block([sensor]), block(others)
    across = covariance[np.ix_(own, given)] @ np.linalg.inv(covariance[np.ix_(given, given)])
    mean = across @ x[given]
    return mean, covariance[np.ix_(own, own)] - across @ covariance[np.ix_(given, own)]


@pytest.mark.parametrize("absent", [[], [1], [0, 3]])
def test_the_distance_is_mahalanobis_from_the_conditional_mean(
    covariance: Array, conditionals: Conditionals, absent: list[int]
) -> None:
    x = np.random.default_rng(1).normal(size=(5, SENSORS * VALUES))
    present = [sensor for sensor in range(SENSORS) if sensor not in absent]
    mask = torch.zeros(5, SENSORS, dtype=torch.bool)
    mask[:, present] = True
    z = torch.from_numpy(x).reshape(5, SENSORS, VALUES)
    found = conditionals.ratios(z, mask).numpy()
    for row in range(5):
        for sensor in present:
            others = [other for other in present if other != sensor]
            mean, spread = conditional(covariance, x[row], sensor, others)
            off = x[row][block([sensor])] - mean
            expected = off @ np.linalg.inv(spread) @ off / VALUES / (sensor + 1)
            assert found[row, sensor] == pytest.approx(expected, rel=1e-9)
    assert (found[:, absent] == 0).all()


def test_a_sensor_alone_has_nothing_to_contradict(conditionals: Conditionals) -> None:
    mask = torch.zeros(1, SENSORS, dtype=torch.bool)
    mask[0, 2] = True
    assert not conditionals.ratios(torch.full((1, SENSORS, VALUES), 99.0), mask).any()


def test_patterns_mixed_in_one_batch_are_as_when_asked_alone(conditionals: Conditionals) -> None:
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(8, SENSORS, VALUES, generator=generator, dtype=torch.float64)
    mask = torch.rand(8, SENSORS, generator=generator) < 0.7
    together = conditionals.ratios(z, mask)
    for row in range(8):
        alone = conditionals.ratios(z[[row]], mask[[row]])
        torch.testing.assert_close(together[[row]], alone)


def test_what_is_expected_of_a_sensor_is_its_conditional_mean(
    covariance: Array, conditionals: Conditionals
) -> None:
    x = np.random.default_rng(3).normal(size=SENSORS * VALUES)
    sound = torch.tensor([True, False, False, True])
    found = conditionals.expected(torch.from_numpy(x).reshape(SENSORS, VALUES), sound, 2)
    mean, _ = conditional(covariance, x, 2, [0, 3])
    np.testing.assert_allclose(found.numpy(), mean, rtol=1e-9)


def test_the_excess_is_that_of_the_sensor_which_exceeds_what_is_usual_most(
    conditionals: Conditionals,
) -> None:
    usual_is_a_quarter = torch.tensor([[0.1, 0.2, 0.0, 0.25], [0.1, 1.0, 0.5, 0.0]])
    found = conditionals.fitted.excess(usual_is_a_quarter)
    assert found.tolist() == pytest.approx([0.0, np.log(4.0)])
