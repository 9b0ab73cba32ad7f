"""Closed forms against what they stand for: fits that really leave a group out, scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_ridge import KernelRidge

from hydrascope.models.kernel.closed_form import discriminant, leave_group_out


def test_leaving_a_group_out_in_closed_form_is_fitting_again_without_it() -> None:
    groups, size, ridge = 7, 3, 0.3
    x = torch.randn(groups * size, 4, dtype=torch.float64)
    targets = torch.randn(groups * size, 2, dtype=torch.float64)
    gram = torch.exp(-torch.cdist(x, x).square())
    inverse = torch.linalg.inv(gram + ridge * torch.eye(len(x), dtype=torch.float64))
    scores = leave_group_out(inverse, targets, size)
    for group in range(groups):
        held = np.arange(group * size, (group + 1) * size)
        kept = np.setdiff1d(np.arange(len(x)), held)
        model = KernelRidge(alpha=ridge, kernel="precomputed")
        model.fit(gram[kept][:, kept].numpy(), targets[kept].numpy())
        expected = model.predict(gram[held][:, kept].numpy())
        np.testing.assert_allclose(scores[held].numpy(), expected, atol=1e-8)


@pytest.mark.parametrize("shrinkage", [0.0, 0.02, 0.5])
def test_the_discriminant_is_that_of_scikit_learn(shrinkage: float) -> None:
    label = torch.arange(3).repeat(20)  # as many of each, as the discriminant assumes
    scores = torch.randn(60, 4, dtype=torch.float64) + label.unsqueeze(1) * torch.tensor(
        [1.0, 0.0, -0.5, 0.2], dtype=torch.float64
    )
    read, bias = discriminant(scores, label, torch.ones(60), 3, shrinkage)
    # S + s·tr/C·I here is (1 − a)(S + …) there, with s = a / (1 − a).
    share = shrinkage / (1.0 + shrinkage)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=share)
    model.fit(scores.numpy(), label.numpy())
    logits = (scores @ read + bias) / (1.0 - share)
    np.testing.assert_allclose(
        logits.softmax(1).numpy(), model.predict_proba(scores.numpy()), atol=1e-9
    )


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    label = torch.arange(2).repeat(10)
    scores = torch.randn(20, 3, dtype=torch.float64)
    weight = torch.ones(20, dtype=torch.float64)
    weight[:4] = 2.0
    weighted = discriminant(scores, label, weight, 2, 0.1)
    repeated = torch.cat((torch.arange(20), torch.arange(4)))
    written_out = discriminant(scores[repeated], label[repeated], torch.ones(24), 2, 0.1)
    for one, other in zip(weighted, written_out, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)
