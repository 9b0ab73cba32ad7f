"""The readout, which answers quickly, against the kernel by its definition."""

import pytest
import torch
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.kernel.fit import Solution
from hydrascope.models.kernel.metric import LearnedMetric, Metric, Products, kernel
from hydrascope.models.kernel.questions import Question
from hydrascope.models.kernel.readout import DiscriminantReadout, Draw
from hydrascope.models.kernel.rows import Rows, Scale
from hydrascope.models.kernel.transplant import Transplants
from hydrascope.schemas.errors import SpecError

PLACES, STEPS, FEATURES, CHANNELS = 3, 2, 4, 5
SUPPORT, ADDED, GRAPHS = 11, 6, 7
QUESTIONS = (Question("pump", 3, (0, 1, 2)), Question("valve", 4, (0, 3)))


def some_metric(*, features: bool, embedding: bool) -> LearnedMetric:
    metric = LearnedMetric(PLACES, STEPS, [0, 1, 1, 2], features=features, embedding=embedding)
    with torch.no_grad():
        for parameter in metric.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return metric


def some_draw() -> Draw:
    added = Transplants(*torch.randint(0, SUPPORT, (3, ADDED)).unbind())
    classes = sum(len(question.classes) for question in QUESTIONS)
    coefficients = torch.randn(SUPPORT + ADDED, classes, dtype=torch.float64)
    # The kernel's own level, which is large, would decide alone.
    coefficients -= coefficients.mean(0)
    return Draw(added, Solution(coefficients, torch.randn(classes, dtype=torch.float64)))


def windows(features: Tensor) -> GraphInputs:
    """Return raw features [G, P, T, F] as a batch of which the readout reads nothing else."""
    graphs = torch.arange(len(features))
    unread = dict.fromkeys(GraphInputs._fields, torch.empty(0))
    given = {
        "sensor_features": features.flatten(0, 1),
        "sensor_observed": torch.ones(len(features) * PLACES, STEPS, dtype=torch.bool),
        "sensor_slot": torch.arange(PLACES).repeat(len(features)),
        "sensor_component": graphs.repeat_interleave(PLACES),
        "component_graph": graphs,
        "graph_id": graphs,
    }
    return GraphInputs(**{**unread, **given})


def by_definition(metric: Metric, draw: Draw, x: Rows, support: Rows) -> Tensor:
    """Return the logits of all classes with the transplants as rows of their own."""
    rows = [draw.added.append_to(part, 0) for part in support]

    def products(one: Tensor, other: Tensor, weight: Tensor | None) -> Products | None:
        if not one.shape[1]:
            return None
        u, v = (each if weight is None else each * weight for each in (one, other))
        return Products(u @ v.T, u.square().sum(1), v.square().sum(1))

    alike = kernel(
        metric,
        products(x.features, rows[0], metric.weight),
        products(x.embedding, rows[1], None),
    )
    return alike @ draw.solution.coefficients + draw.solution.bias


@pytest.mark.parametrize(("features", "embedding"), [(True, False), (False, True), (True, True)])
def test_its_answers_are_those_of_the_kernel(features: bool, embedding: bool) -> None:
    double = {"dtype": torch.float64}
    width, channels = PLACES * STEPS * FEATURES * features, CHANNELS * embedding
    support = Rows(torch.randn(SUPPORT, width, **double), torch.randn(SUPPORT, channels, **double))
    metric = some_metric(features=features, embedding=embedding)
    draws = [some_draw() for _ in range(2)]
    scale = Scale(
        torch.randn(PLACES, STEPS, FEATURES, **double),
        torch.rand(PLACES, STEPS, FEATURES, **double),
    )
    of_embedding = Scale(torch.randn(channels, **double), torch.rand(channels, **double))
    readout = DiscriminantReadout.of(QUESTIONS, scale, of_embedding, support, metric, draws)

    raw = torch.randn(GRAPHS, PLACES, STEPS, FEATURES)
    states = torch.randn(GRAPHS, channels)
    x = Rows(
        ((raw - scale.center) * scale.inverse).flatten(1)[:, :width],
        (states - of_embedding.center) * of_embedding.inverse,
    )
    answers = readout(windows(raw), states)
    logs = readout.log_probabilities(windows(raw), states)
    logits = torch.stack([by_definition(metric.values(), draw, x, support) for draw in draws])
    of_each = logits.split([len(question.classes) for question in QUESTIONS], 2)
    for question, own in zip(QUESTIONS, of_each, strict=True):
        expected = own.softmax(2).mean(0)
        torch.testing.assert_close(logs[question.head].exp(), expected, rtol=0, atol=1e-10)
        shown = answers[question.head][:, list(question.classes)]
        torch.testing.assert_close(shown.double(), expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(answers[question.head].sum(1), torch.ones(GRAPHS))
        assert expected.std(0).max() > 0.001  # windows differ, or nothing would be shown


def test_a_checkpoint_of_another_version_is_refused() -> None:
    metric = some_metric(features=True, embedding=False)
    ones = torch.ones(PLACES, STEPS, FEATURES, dtype=torch.float64)
    support = Rows(torch.randn(SUPPORT, ones.numel()).double(), torch.empty(SUPPORT, 0).double())
    scale, of_embedding = Scale(0 * ones, ones), Scale(torch.empty(0), torch.empty(0))
    readout = DiscriminantReadout.of(QUESTIONS, scale, of_embedding, support, metric, [some_draw()])
    record = readout.record()

    raw, states = torch.randn(GRAPHS, PLACES, STEPS, FEATURES), torch.empty(GRAPHS, 0)
    again = DiscriminantReadout.from_record(record)(windows(raw), states)
    for head, answer in readout(windows(raw), states).items():
        torch.testing.assert_close(again[head], answer, atol=0, rtol=0)

    del record["buffers"]["slope"]
    with pytest.raises(SpecError, match="ckpt: its readout is of another version"):
        DiscriminantReadout.from_record(record)
