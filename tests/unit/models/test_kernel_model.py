"""The discriminant, which answers quickly, against the kernel by its definition."""

import pytest
import torch
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import Question
from hydrascope.models.decode import decode
from hydrascope.models.kernel.config import DiscriminantConfig
from hydrascope.models.kernel.fit import Solution
from hydrascope.models.kernel.metric import LearnedMetric, Metric, Products, kernel
from hydrascope.models.kernel.model import Draw, KernelDiscriminant
from hydrascope.models.kernel.rows import Scale
from hydrascope.models.kernel.transplant import Transplants
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadSpec

PLACES, STEPS, FEATURES = 3, 2, 4
WIDTH = PLACES * STEPS * FEATURES
SUPPORT, ADDED, GRAPHS = 11, 6, 7
QUESTIONS = (
    Question("pump", 3, (0, 1, 2)),
    Question("valve", 4, (0, 3)),
    Question("wear", 3, (0, 1, 2)),
    Question("leak", 2, (0, 1)),
)


def head(name: str, kind: str, classes: int = 0) -> HeadSpec:
    graded = [{"value": value, "name": str(value)} for value in range(classes)]
    fields = {"name": name, "level": "component", "kind": kind, "classes": graded}
    return HeadSpec.model_validate(fields)


HEADS = (
    head("pump", "multi_class", 3),
    head("valve", "multi_class", 4),
    head("wear", "ordinal", 3),
    head("leak", "binary"),
)


def spec_of(*slots: str) -> InputSpec:
    return InputSpec(
        component_kinds=("pump",),
        sensor_kinds=("pressure",),
        sensor_slots=slots,
        feature_names=("mean", "patch_0", "patch_1", "std"),
        steps=STEPS,
        component_heads=tuple(each.name for each in HEADS),
    )


def fresh() -> KernelDiscriminant:
    return KernelDiscriminant(DiscriminantConfig(), spec_of("rig/a", "rig/b", "rig/c"), HEADS)


def some_metric() -> LearnedMetric:
    metric = LearnedMetric(PLACES, STEPS, [0, 1, 1, 2])
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
    """Return normalised features [G, P, T, F] as a batch of one component a graph."""
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


def by_definition(metric: Metric, draw: Draw, x: Tensor, support: Tensor) -> Tensor:
    """Return the logits of all classes with the transplants as rows of their own."""
    u, v = x * metric.weight, draw.added.append_to(support, 0) * metric.weight
    alike = kernel(metric, Products(u @ v.T, u.square().sum(1), v.square().sum(1)))
    return alike @ draw.solution.coefficients + draw.solution.bias


def fitted() -> tuple[KernelDiscriminant, Scale, Tensor, LearnedMetric, list[Draw]]:
    shape = (PLACES, STEPS, FEATURES)
    scale = Scale(torch.randn(shape).double(), torch.rand(shape).double())
    support, metric = torch.randn(SUPPORT, WIDTH, dtype=torch.float64), some_metric()
    draws = [some_draw() for _ in range(2)]
    model = fresh()
    model.ask(QUESTIONS)
    model.adopt(scale, support, metric, draws)
    return model, scale, support, metric, draws


def test_its_decoded_answers_are_those_of_the_kernel_whatever_the_kind_of_the_head() -> None:
    model, scale, support, metric, draws = fitted()
    given = torch.randn(GRAPHS, PLACES, STEPS, FEATURES)
    x = ((given - scale.center) * scale.inverse).flatten(1)
    output = model(windows(given)).heads
    logits = torch.stack([by_definition(metric.values(), draw, x, support) for draw in draws])
    of_each = logits.split([len(question.classes) for question in QUESTIONS], 2)
    assert model.answered == HEADS
    for asked, question, own in zip(HEADS, QUESTIONS, of_each, strict=True):
        probability = torch.zeros(GRAPHS, question.size, dtype=torch.float64)
        probability[:, list(question.classes)] = own.softmax(2).mean(0)
        expected = probability[:, 1:] if asked.name == "leak" else probability
        assert output[asked.name].shape == (GRAPHS, asked.size)
        answer = decode(asked, output[asked.name])
        torch.testing.assert_close(answer.double(), expected, rtol=0, atol=2e-6)
        if asked.name == "pump":  # what is given are the logarithms themselves
            torch.testing.assert_close(
                output["pump"].double(), expected.log(), rtol=1e-6, atol=1e-6
            )
        assert expected.std(0).max() > 0.001  # windows differ, or nothing would be shown


def test_its_record_and_its_state_are_all_of_it() -> None:
    model, *_ = fitted()
    again = fresh()
    assert again.answered == ()
    again.prepare(model.record())
    again.load_state_dict(model.state_dict())
    inputs = windows(torch.randn(GRAPHS, PLACES, STEPS, FEATURES))
    for name, answer in model(inputs).heads.items():
        torch.testing.assert_close(again(inputs).heads[name], answer, atol=0, rtol=0)


def test_machines_of_several_builds_are_refused() -> None:
    with pytest.raises(SpecError, match="machines of one topology, not 2; accepted with several"):
        KernelDiscriminant(DiscriminantConfig(), spec_of("rig/a", "press/a"), HEADS)
