import pytest
import torch
from layer_checks import assert_close

from hydrascope.models.layers.segment import (
    segment_logsumexp,
    segment_max,
    segment_mean,
    segment_min,
    segment_softmax,
    segment_sum,
    weigh_heads,
)

INDEX = torch.tensor([3, 0, 3, 1, 0, 3])
SEGMENTS = 5  # 2 and 4 are empty


def _rows(segment: int) -> list[int]:
    return [row for row, owner in enumerate(INDEX.tolist()) if owner == segment]


@pytest.mark.parametrize(
    ("reduce", "naive"),
    [
        (segment_sum, lambda rows: rows.sum(0)),
        (segment_mean, lambda rows: rows.mean(0)),
        (segment_max, lambda rows: rows.amax(0)),
    ],
)
def test_a_reduction_equals_a_loop_over_segments_and_is_zero_where_empty(reduce, naive):
    values = torch.randn(6, 4, 3) - 2.0
    result = reduce(values, INDEX, SEGMENTS)
    for segment in range(SEGMENTS):
        rows = values[_rows(segment)]
        assert_close(result[segment], naive(rows) if len(rows) else torch.zeros(4, 3))


def test_softmax_and_its_gradient_equal_a_loop_over_segments():
    logits = (5 * torch.randn(6, 2, dtype=torch.float64)).requires_grad_()
    result = segment_softmax(logits, INDEX, SEGMENTS)
    weights = torch.randn_like(result)
    (found,) = torch.autograd.grad((result * weights).sum(), logits)
    for rows in map(_rows, range(SEGMENTS)):
        expected = logits[rows].softmax(0)
        assert_close(result[rows], expected, 1e-12)
        (by_hand,) = torch.autograd.grad((expected * weights[rows]).sum(), logits)
        assert_close(found[rows], by_hand[rows], 1e-12)


def test_masked_rows_weigh_nothing_and_a_fully_masked_segment_is_zero_without_nan():
    logits = torch.randn(6, 2, requires_grad=True)
    mask = torch.tensor([True, False, False, False, False, True])[:, None]
    result = segment_softmax(logits, INDEX, SEGMENTS, mask)
    assert_close(result[[0, 5]], logits[[0, 5]].softmax(0))
    assert (result[[1, 2, 3, 4]] == 0).all()
    (result * torch.randn(6, 2)).sum().backward()
    assert logits.grad.isfinite().all()
    assert (logits.grad[[1, 2, 3, 4]] == 0).all()


def test_softmax_survives_logits_that_differ_by_thousands():
    logits = torch.tensor([5000.0, -5000.0, 4999.0, -9000.0, -5000.0, 0.0])
    result = segment_softmax(logits, INDEX, SEGMENTS)
    assert_close(result[[0, 2, 5]], logits[[0, 2, 5]].softmax(0))
    assert_close(result[[1, 4]], torch.tensor([0.5, 0.5]))


MASK = torch.tensor([True, False, True, False, True, False])[:, None]


@pytest.mark.parametrize(
    ("reduce", "naive"),
    [(segment_logsumexp, lambda rows: rows.exp().sum(0).log()), (segment_min, lambda r: r.amin(0))],
)
def test_masked_reductions_equal_a_loop_over_what_counts(reduce, naive):
    values = (5 * torch.randn(6, 4, dtype=torch.float64) - 2.0).requires_grad_()
    result = reduce(values, INDEX, SEGMENTS, MASK, empty=-7.0)
    expected = []
    for segment in range(SEGMENTS):
        rows = values[[row for row in _rows(segment) if MASK[row]]]
        expected.append(naive(rows) if len(rows) else torch.full((4,), -7.0, dtype=torch.float64))
    assert_close(result, torch.stack(expected), 1e-12)
    weights = torch.randn_like(result)
    (found,) = torch.autograd.grad((result * weights).sum(), values)
    (by_hand,) = torch.autograd.grad((torch.stack(expected) * weights).sum(), values)
    assert_close(found, by_hand, 1e-12)


def test_logsumexp_survives_logits_that_differ_by_thousands():
    logits = torch.tensor([5000.0, -5000.0, 4999.0, -9000.0, -5000.0, 5000.0], requires_grad=True)
    everything = torch.ones(6, dtype=torch.bool)
    result = segment_logsumexp(logits, INDEX, SEGMENTS, everything, empty=-30.0)
    assert_close(result[[0, 1, 3]], torch.stack([logits[_rows(s)].logsumexp(0) for s in (0, 1, 3)]))
    assert (result[[2, 4]] == -30.0).all()
    result.sum().backward()
    assert logits.grad.isfinite().all()


def test_each_heads_channels_are_multiplied_by_its_weight():
    rows, weights = torch.randn(5, 3, 6), torch.randn(5, 3, 2)
    result = weigh_heads(rows, weights)
    for channel in range(6):
        assert torch.equal(result[..., channel], rows[..., channel] * weights[..., channel // 3])
