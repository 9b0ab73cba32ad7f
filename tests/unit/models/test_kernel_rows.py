"""Rows, their standardisation, transplants, and the choice of questions."""

import numpy as np
import torch

from hydrascope.models.blocks.sensor_layout import lay_out
from hydrascope.models.kernel.questions import choose_questions
from hydrascope.models.kernel.rows import balanced, feature_scale
from hydrascope.models.kernel.transplant import draw_transplants
from hydrascope.schemas.task import HeadSpec


def test_every_combination_weighs_the_same() -> None:
    combination = torch.tensor([0, 0, 0, 1, 2, 2])
    weight = balanced(combination)
    sums = [float(weight[combination == each].sum()) for each in range(3)]
    np.testing.assert_allclose(sums, 2.0)


def test_values_of_sensors_come_to_their_places_whatever_their_order() -> None:
    values = torch.arange(1.0, 6.0).unsqueeze(1)
    # Two graphs of three places: the first has sensors at 2 and 0, the second at all of them.
    laid_out = lay_out(values, torch.tensor([2, 0, 4, 3, 5]), graphs=2, places=3)
    assert laid_out.squeeze(-1).tolist() == [[2.0, 0.0, 1.0], [4.0, 3.0, 5.0]]


def test_the_scale_is_that_of_a_plain_computation_and_ignores_what_is_missing() -> None:
    x = torch.randn(30, 2, 3, 2, dtype=torch.float64)
    combination = torch.arange(30) % 4
    x += combination.reshape(-1, 1, 1, 1)
    observed = torch.rand(30, 2, 3) > 0.2
    spoilt = torch.where(observed.unsqueeze(-1), x, torch.nan)
    weight = balanced(combination).numpy()
    scale = feature_scale(spoilt, observed, combination)
    for place, step, feature in np.ndindex(2, 3, 2):
        seen = observed[:, place, step].numpy()
        value, w = x[:, place, step, feature].numpy()[seen], weight[seen]
        center = np.average(value, weights=w)
        groups = combination.numpy()[seen]
        means = np.array([value[groups == g].mean() for g in groups])
        over_all = np.sqrt(np.average((value - center) ** 2, weights=w))
        within = np.sqrt(np.average((value - means) ** 2, weights=w))
        at = (place, step, feature)
        np.testing.assert_allclose(scale.center[at], center)
        np.testing.assert_allclose(scale.inverse[at], 1 / np.sqrt(within * over_all))
    z = scale.apply(spoilt, observed)
    assert (z[~observed] == 0).all()


def test_what_does_not_vary_is_left_out() -> None:
    # A normaliser leaves what varies by rounding alone as it is: it stays small beside 1.
    x = torch.tensor([7.3, 1e-5, 1.0]).double() * torch.ones(6, 1, 1, 1, dtype=torch.float64)
    x[..., 1:] *= torch.randn(6, 1, 1, 2, dtype=torch.float64)
    observed = torch.ones(6, 1, 1, dtype=torch.bool)
    scale = feature_scale(x, observed, torch.tensor([0, 0, 0, 1, 1, 1]))
    assert (scale.inverse.flatten() > 0).tolist() == [False, False, True]


def test_a_transplant_adds_drift_within_one_combination_to_a_row_of_another() -> None:
    combination = np.array([2, 0, 0, 1, 1, 1, 2, 3])  # 3 has a single window
    added = draw_transplants(combination, 50, np.random.default_rng(0))
    base, one, other = (rows.numpy() for rows in added)
    np.testing.assert_array_equal(np.bincount(combination[base]), [50] * 4)
    np.testing.assert_array_equal(combination[one], combination[other])
    alone = combination[one] == 3
    assert alone.any()
    assert (one[alone] == other[alone]).all()
    assert (one[~alone] != other[~alone]).all()
    # All pairs of windows of one combination come up: none is favoured by its place.
    pairs = {(a, b) for a, b in zip(one.tolist(), other.tolist(), strict=True) if a != b}
    assert pairs == {
        (a, b) for a in range(8) for b in range(8) if a != b and combination[a] == combination[b]
    }


def test_transplants_keep_the_mean_of_what_they_are_added_to() -> None:
    random = np.random.default_rng(1)
    combination = np.arange(60) % 6
    x = random.standard_normal((60, 3)) + 5.0 * combination[:, None]
    added = draw_transplants(combination, 4000, random)
    new = added.append_to(torch.from_numpy(x), 0)[60:].numpy()
    base, one, other = (rows.numpy() for rows in added)
    np.testing.assert_allclose(new, x[base] + x[one] - x[other], atol=1e-12)
    for each in range(6):
        expected = x[combination == each].mean(0)
        np.testing.assert_allclose(new[combination[base] == each].mean(0), expected, atol=0.1)


def head(name: str, kind: str = "multi_class", level: str = "component") -> HeadSpec:
    classes = [{"value": v, "name": str(v)} for v in range(3)] if kind == "multi_class" else []
    return HeadSpec.model_validate({"name": name, "level": level, "kind": kind, "classes": classes})


def column(values: list[float], component: int = 0) -> torch.Tensor:
    target = torch.full((len(values), 2, 1), torch.nan)
    target[:, component, 0] = torch.tensor(values)
    return target


def test_heads_of_one_component_with_classes_are_answered_and_the_others_say_why_not() -> None:
    nan = float("nan")
    heads = [head("a"), head("b"), head("both"), head("size", "regression")]
    heads += [head("leak", "binary"), head("whole", "binary", "machine")]
    both = column([0, 1, 0, 1, 0, 1, 0, 1])
    both[:, 1] = 0.0
    chosen = choose_questions(
        heads,
        {
            "a": column([0, 0, 2, 2, 0, 2, nan, 0]),
            "b": column([0, 1, 0, 1, 0, 1, 0, nan], component=1),
            "both": both,
            "size": column([0.5] * 8),
            "leak": column([0, 0, 0, 0, 0, 1, 0, 0]),
            "whole": torch.zeros(8, 1, 1),
        },
    )
    assert [(q.head, q.size, q.classes) for q in chosen.questions] == [
        ("a", 3, (0, 2)),
        ("b", 3, (0, 1)),
    ]
    assert chosen.unanswered.keys() == {"both", "size", "leak", "whole"}
    assert "2 components" in chosen.unanswered["both"]
    assert "two combinations" in chosen.unanswered["leak"]
    assert chosen.rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert chosen.label.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [1, 1]]
    assert chosen.combination.tolist() == [0, 1, 2, 3, 0, 3]


def test_a_single_head_has_no_combinations_to_learn_from() -> None:
    chosen = choose_questions([head("a")], {"a": column([0, 1, 2, 0, 1, 2])})
    assert chosen.questions == ()
    assert "two combinations" in chosen.unanswered["a"]
