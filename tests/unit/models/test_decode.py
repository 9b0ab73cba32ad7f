"""From raw outputs to values and probabilities, against loops."""

from math import exp, log

import pytest
import torch

from hydrascope.models.conformal import interval
from hydrascope.models.decode import decode, encode, learned, log_probabilities
from hydrascope.schemas import HeadSpec, validate


def head(kind: str, classes: int = 0) -> HeadSpec:
    fields: dict[str, object] = {"name": "state", "level": "machine", "kind": kind}
    if classes:
        fields["classes"] = [{"value": k, "name": f"class {k}"} for k in range(classes)]
    if kind == "multi_label":
        fields["labels"] = ["leak", "air", "wear"]
    return validate(HeadSpec, fields)


def sigmoid(logit: float) -> float:
    return 1 / (1 + exp(-logit))


def ordinal_by_hand(logits: list[float]) -> list[float]:
    """Probability of each class from "above class k", no more likely than "above class k − 1"."""
    above, limit = [1.0], 1.0
    for logit in logits:
        limit = min(limit, sigmoid(logit))
        above.append(limit)
    above.append(0.0)
    return [above[k] - above[k + 1] for k in range(len(logits) + 1)]


def test_a_regression_is_read_as_it_stands() -> None:
    output = torch.randn(5, 1)
    assert torch.equal(decode(head("regression"), output), output)


REGRESSION = {"name": "life", "level": "machine", "kind": "regression"}


def test_a_log_scale_and_a_cap_are_undone_so_that_answers_are_in_the_unit() -> None:
    spec = validate(HeadSpec, REGRESSION | {"scale": "log", "cap": 125})
    value = torch.tensor([[0.0], [0.5], [20.0], [125.0]], dtype=torch.float64)
    expected = [[log(1 + y)] for y in (0.0, 0.5, 20.0, 125.0)]
    torch.testing.assert_close(learned(spec, value), torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(decode(spec, learned(spec, value)), value)
    far = decode(spec, torch.tensor([[-3.0], [7.0], [1e6]]))
    assert far.tolist() == [[0.0], [125.0], [125.0]]
    uncapped = validate(HeadSpec, REGRESSION | {"scale": "log"})
    assert decode(uncapped, torch.tensor([[1e6]])).isfinite().all()


def test_quantiles_on_a_log_scale_are_quantiles_in_the_unit() -> None:
    spec = validate(HeadSpec, REGRESSION | {"scale": "log", "quantiles": [0.1, 0.5, 0.9]})
    answer = decode(spec, torch.tensor([[log(11.0), log(1.0), log(101.0)]]))
    torch.testing.assert_close(answer, torch.tensor([[0.0, 10.0, 100.0]]), atol=1e-4, rtol=1e-4)


def test_an_interval_ends_where_labels_end() -> None:
    plain = validate(HeadSpec, REGRESSION)
    assert interval(plain, [3.0], 5.0) == (-2.0, 8.0)
    spec = validate(HeadSpec, REGRESSION | {"scale": "log", "cap": 125})
    assert interval(spec, [3.0], 5.0) == (0.0, 8.0)
    assert interval(spec, [122.0], 5.0) == (117.0, 125.0)


@pytest.mark.parametrize("kind", ["binary", "multi_label"])
def test_each_presence_is_a_sigmoid_of_its_own(kind: str) -> None:
    spec = head(kind)
    output = 4 * torch.randn(7, spec.size, dtype=torch.float64)
    expected = [[sigmoid(z) for z in row] for row in output.tolist()]
    torch.testing.assert_close(decode(spec, output), torch.tensor(expected, dtype=torch.float64))


def test_the_classes_of_a_graded_head_are_a_softmax() -> None:
    output = 4 * torch.randn(7, 4, dtype=torch.float64)
    expected = [[exp(z) / sum(map(exp, row)) for z in row] for row in output.tolist()]
    torch.testing.assert_close(
        decode(head("multi_class", 4), output), torch.tensor(expected, dtype=torch.float64)
    )


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_ordinal_probabilities_equal_a_loop_even_where_thresholds_cross(classes: int) -> None:
    # Independent logits cross more often than not.
    output = 3 * torch.randn(50, classes - 1, dtype=torch.float64)
    expected = torch.tensor([ordinal_by_hand(row) for row in output.tolist()], dtype=torch.float64)
    torch.testing.assert_close(decode(head("ordinal", classes), output), expected)


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
@pytest.mark.parametrize("kind", ["multi_class", "ordinal"])
def test_probabilities_are_never_negative_and_sum_to_one(kind: str, scale: float) -> None:
    spec = head(kind, 5)
    probability = decode(spec, scale * torch.randn(100, spec.size))
    assert probability.shape == (100, 5)
    assert (probability >= 0).all()
    torch.testing.assert_close(probability.sum(1), torch.ones(100))


def test_the_probability_of_exceeding_a_class_never_rises_with_the_class() -> None:
    crossing = torch.tensor([[-2.0, 3.0, 0.0], [5.0, -1.0, 4.0]])
    probability = decode(head("ordinal", 4), crossing)
    exceeding = 1 - probability.cumsum(1)
    assert (exceeding.diff(dim=1) <= 1e-6).all()
    # A threshold that says less than one before it has no class of its own.
    assert probability[0, 1] == 0
    assert probability[1, 2] == 0


@pytest.mark.parametrize(("kind", "classes"), [("multi_class", 4), ("ordinal", 4), ("binary", 0)])
def test_encoded_probabilities_are_decoded_again(kind: str, classes: int) -> None:
    asked = head(kind, classes)
    probability = torch.rand(6, classes or 2, dtype=torch.float64).softmax(dim=1)
    decoded = decode(asked, encode(asked, probability.log()))
    torch.testing.assert_close(decoded, probability if classes else probability[:, 1:])
    certain = torch.zeros(1, classes or 2, dtype=torch.float64)
    certain[0, -1] = 1.0
    raw = encode(asked, certain.log())
    assert raw.isfinite().all()
    torch.testing.assert_close(decode(asked, raw), certain if classes else certain[:, 1:])


@pytest.mark.parametrize("kind", ["multi_class", "ordinal", "binary", "multi_label"])
def test_log_probabilities_are_the_logarithms_of_what_is_decoded_and_go_on_below_it(
    kind: str,
) -> None:
    asked = head(kind, 4 if kind in ("multi_class", "ordinal") else 0)
    output = 3 * torch.randn(7, asked.size, dtype=torch.float64)
    if kind == "ordinal":
        output = output.sort(dim=1, descending=True).values
    decoded, logs = decode(asked, output), log_probabilities(asked, output)
    if logs.ndim == 3:
        decoded = torch.stack([1 - decoded, decoded], dim=-1)
    torch.testing.assert_close(logs.exp(), decoded)
    far = log_probabilities(asked, torch.full((1, asked.size), -60.0))
    if kind != "multi_class":
        assert float(far.min()) < -59
