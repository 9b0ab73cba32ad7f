"""Moments and whitening against numpy and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.covariance import oas
from torch import Tensor

from hydrascope.models.whitening import FeatureMoments, Whitening, shrunk_correlation


def test_whitened_moments_have_the_identity_as_their_covariance() -> None:
    generator = np.random.default_rng(0)
    places, features, count = 3, 2, 5000
    mixing = generator.normal(size=(places * features,) * 2)
    rows = 3.0 + generator.normal(size=(count, places * features)) @ mixing.T
    moments = FeatureMoments(1, 1, places, features)
    part = torch.from_numpy(rows).unsqueeze(1)
    seen = torch.ones(count, 1, places, dtype=torch.bool)
    moments.update(torch.zeros(count, dtype=torch.int64), torch.zeros(1).long(), part, seen)
    matrix = Whitening.of(moments).matrix[0, 0].numpy()
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-10)
    np.testing.assert_allclose(Whitening.of(moments).center[0, 0], rows.mean(0), atol=1e-12)
    white = (rows - rows.mean(0)) @ matrix
    np.testing.assert_allclose(white.T @ white / count, np.eye(6), atol=0.15)


@pytest.mark.parametrize("count", [12, 60, 2000])
def test_shrinkage_is_that_of_scikit_learn(count: int) -> None:
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(count, 20)) @ generator.normal(size=(20, 20))
    rows /= np.sqrt((rows**2).mean(0))
    expected, shrinkage = oas(rows, assume_centered=True)
    assert shrinkage > 1e-3
    found = shrunk_correlation(torch.from_numpy(rows.T @ rows / count), count)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)


def test_moments_of_parts_are_those_of_the_whole_and_leave_out_what_is_missing() -> None:
    graphs, steps, places, features = 40, 5, 3, 2
    topology, row = torch.randint(0, 2, (graphs,)), torch.tensor([0, 1, 1, 1, 1])
    seen = torch.rand(graphs, steps, places) > 0.3
    value = torch.randn(graphs, steps, places * features, dtype=torch.float64)
    value = value * seen.repeat_interleave(features, -1)

    def moments(*parts: Tensor) -> FeatureMoments:
        found = FeatureMoments(2, 2, places, features)
        for chosen in parts:
            found.update(topology[chosen], row, value[chosen], seen[chosen])
        return found

    whole = moments(torch.arange(graphs))
    in_parts = moments(torch.arange(11, graphs), torch.arange(11))
    torch.testing.assert_close(in_parts.products, whole.products)
    torch.testing.assert_close(in_parts.mean(), whole.mean())
    assert torch.equal(in_parts.count, whole.count)
    expected = np.zeros((2, 2, places, places))
    for graph in range(graphs):
        for step in range(steps):
            there = seen[graph, step].numpy().astype(float)
            expected[topology[graph], row[step]] += np.outer(there, there)
    np.testing.assert_array_equal(whole.count.numpy(), expected)


def test_sensors_that_were_never_observed_together_do_not_magnify_what_is_usual() -> None:
    generator = np.random.default_rng(2)
    count, places = 400, 4
    load = generator.normal(size=(count, 1))
    rows = torch.from_numpy(load + 0.1 * generator.normal(size=(count, places)))
    seen = torch.ones(count, 1, places, dtype=torch.bool)
    seen[::2, 0, 0] = False
    seen[1::2, 0, 1] = False
    moments = FeatureMoments(1, 1, places, 1)
    value = rows.unsqueeze(1) * seen
    moments.update(torch.zeros(count).long(), torch.zeros(1).long(), value, seen)
    fitted = Whitening.of(moments)
    white = (rows - fitted.center[0, 0]) @ fitted.matrix[0, 0]
    assert 0.1 < float(white.square().mean()) < 3.0
