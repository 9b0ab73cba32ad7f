"""Metrics of a user's own, by import path, with the example of the pages."""

import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.evaluation.breakdown import of_heads
from hydrascope.evaluation.own_metrics import check_own_metrics
from hydrascope.evaluation.predictions import LocatedPredictions
from hydrascope.evaluation.report import head_metrics
from hydrascope.schemas import HeadSpec, SpecError, validate

NAN = float("nan")
PAGE = Path(__file__).parents[3] / "docs/extending.md"


@pytest.fixture(autouse=True)
def my_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the module that the page shows where Python finds it."""
    block = r"```python\n# my_metrics.py.*?\n(.*?)```"
    (shown,) = re.findall(block, PAGE.read_text("utf-8"), re.DOTALL)
    wrong = "number = 1\n\ndef worst(true, predicted):\n    return true\n"
    (tmp_path / "my_metrics.py").write_text(f"{shown}\n{wrong}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_metrics", raising=False)


def head(*metrics: str, **fields: object) -> HeadSpec:
    plain = {"name": "life", "level": "machine", "kind": "regression", "metrics": list(metrics)}
    return validate(HeadSpec, plain | fields)


def located(prediction: torch.Tensor, target: torch.Tensor) -> LocatedPredictions:
    window = torch.arange(len(target))
    return LocatedPredictions(prediction, target, window, torch.full_like(window, -1))


def phm08_by_hand(true: np.ndarray, guess: np.ndarray) -> float:
    late = [x - y for y, x in zip(true, guess, strict=True)]
    return sum(math.exp(d / 10 if d >= 0 else -d / 13) - 1 for d in late)


def test_the_phm08_score_of_the_page_stands_beside_our_metrics_with_its_interval() -> None:
    generator = torch.Generator().manual_seed(0)
    target = 125 * torch.rand(60, 1, generator=generator)
    answers = target + 15 * torch.randn(60, 1, generator=generator)
    target[7] = NAN
    spec, units = head("my_metrics.phm08"), np.arange(60) // 6
    true, guess = (each.double().numpy()[:, 0] for each in (target, answers))
    known = ~np.isnan(true)
    expected = phm08_by_hand(true[known], guess[known])
    assert head_metrics([spec], {"life": located(answers, target)})["life"][
        "phm08"
    ] == pytest.approx(expected)
    bootstrap = Bootstrap("engines", units, np.arange(10), draws=50)
    found = of_heads([spec], {"life": located(answers, target)}, bootstrap)["life"]
    assert list(found) == ["mae", "rmse", "r2", "phm08"]
    assert found["phm08"]["value"] == pytest.approx(expected)
    drawn = []
    for counts in np.random.default_rng(0).multinomial(10, np.full(10, 0.1), size=50):
        rows = np.concatenate(
            [np.flatnonzero((units == u) & known).repeat(n) for u, n in enumerate(counts)]
        )
        drawn.append(phm08_by_hand(true[rows], guess[rows]))
    assert found["phm08"]["interval"] == pytest.approx(np.quantile(drawn, [0.025, 0.975]))


def test_a_metric_of_scikit_learn_reads_the_median_or_all_labels() -> None:
    path = "sklearn.metrics.median_absolute_error"
    target = torch.tensor([[1.0], [2.0], [6.0]])
    quantiles = torch.tensor([[0.0, 1.5, 9.0], [0.0, 2.25, 9.0], [0.0, 5.0, 9.0]])
    spread = head(path, quantiles=[0.1, 0.5, 0.9])
    found = head_metrics([spread], {"life": located(quantiles, target)})["life"]
    assert found["median_absolute_error"] == pytest.approx(0.5)
    labels = head(path, labels=["a", "b"])
    two = located(torch.zeros(3, 2), target.expand(3, 2))
    found = head_metrics([labels], {"life": two})["life"]
    assert found["median_absolute_error"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("my_metrics.phm80", "'my_metrics.phm80': .*has no attribute 'phm80'"),
        ("my_metric.phm08", "'my_metric.phm08': No module named 'my_metric'"),
        ("my_metrics.number", "'my_metrics.number' is not a function"),
    ],
)
def test_a_metric_that_is_not_there_is_refused_by_its_path(path: str, complaint: str) -> None:
    with pytest.raises(SpecError, match=f"metrics of head 'life': {complaint}"):
        check_own_metrics([head(path)])


def test_a_metric_that_returns_no_number_is_refused() -> None:
    rows = located(torch.zeros(3, 1), torch.ones(3, 1))
    spec = head("my_metrics.worst")
    with pytest.raises(SpecError, match="worst returned ndarray; accepted: one number"):
        head_metrics([spec], {"life": rows})
