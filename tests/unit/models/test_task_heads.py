"""Heads: who hears whom, and whom a head's token stands for."""

import torch
from layer_checks import assert_close, assert_every_parameter_learns, randomised
from torch import Tensor

from hydrascope.models.blocks.task_heads import TaskHeads
from hydrascope.schemas import HeadSpec, validate

CHANNELS = 16
GRAPH = torch.tensor([0, 0, 0, 1, 1])
APPLIES = torch.tensor([[1, 1], [0, 1], [0, 1], [1, 1], [0, 1]]).bool()


def heads() -> list[HeadSpec]:
    """One component's grade, the whole machine's fault, every component's wear."""
    classes = [{"value": k, "name": f"class {k}"} for k in range(3)]
    return [
        validate(HeadSpec, fields)
        for fields in (
            {
                "name": "pump",
                "level": "component",
                "components": ["pump"],
                "kind": "ordinal",
                "classes": classes,
            },
            {"name": "fault", "level": "machine", "kind": "binary"},
            {"name": "wear", "level": "component", "kind": "regression"},
        )
    ]


LEAKS = {"kind": "multi_label", "labels": ["a", "b"]}


def joined_heads() -> list[HeadSpec]:
    """Heads of machines, each made of a component's, beside one of its own."""
    return [
        validate(HeadSpec, fields)
        for fields in (
            {"name": "health", "level": "machine", "kind": "regression", "evidence": "worn"},
            {"name": "worn", "level": "component", "kind": "regression", "label": "health"},
            {"name": "life", "level": "machine", "kind": "regression"},
            {"name": "faults", "level": "machine", "evidence": "leaks", **LEAKS},
            {"name": "leaks", "level": "component", **LEAKS},
        )
    ]


def block() -> TaskHeads:
    return randomised(TaskHeads(heads(), CHANNELS, 4, dropout=0.0).double().eval())


def embeddings() -> tuple[Tensor, Tensor]:
    return (
        torch.randn(5, CHANNELS, dtype=torch.float64),
        torch.randn(2, CHANNELS, dtype=torch.float64),
    )


def changed(one: dict[str, Tensor], other: dict[str, Tensor]) -> dict[str, list[bool]]:
    return {name: ((one[name] - other[name]).abs().amax(1) > 1e-6).tolist() for name in one}


def test_each_head_answers_for_its_level_in_its_size() -> None:
    outputs = block()(*embeddings(), GRAPH, APPLIES)
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {
        "pump": (5, 2),
        "fault": (2, 1),
        "wear": (5, 1),
    }


def test_the_exchange_carries_what_one_head_sees_to_all_heads_of_its_graph() -> None:
    module = block()
    components, machines = embeddings()
    before = module(components, machines, GRAPH, APPLIES)
    # Only the machine head reads the machine's embedding directly.
    machines = machines + torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    first, second = [True] * 3, [False] * 2
    assert changed(before, module(components, machines, GRAPH, APPLIES)) == {
        "pump": first + second,
        "fault": [True, False],
        "wear": first + second,
    }


def test_without_the_exchange_no_head_hears_another() -> None:
    module = block()
    torch.nn.init.zeros_(module.exchange.out.weight)
    components, machines = embeddings()
    before = module(components, machines, GRAPH, APPLIES)
    after = module(components, machines + 1.0, GRAPH, APPLIES)
    assert changed(before, after) == {"pump": [False] * 5, "fault": [True] * 2, "wear": [False] * 5}


def test_a_component_reaches_other_components_through_a_head_that_applies_to_it() -> None:
    module = block()
    components, machines = embeddings()
    before = module(components, machines, GRAPH, APPLIES)
    components = components.clone()
    components[1] += 1.0  # of graph 0; only "wear" applies to it
    after = module(components, machines, GRAPH, APPLIES)
    assert changed(before, after)["fault"] == [True, False]
    nowhere = APPLIES.clone()
    nowhere[1] = False
    moved = module(components, machines, GRAPH, nowhere)["fault"]
    components[1] -= 1.0
    assert_close(moved, module(components, machines, GRAPH, nowhere)["fault"], 1e-12)


def test_a_token_is_the_mean_over_the_components_that_its_head_applies_to() -> None:
    module = block()
    components, machines = embeddings()
    outputs = module(components, machines, GRAPH, APPLIES)
    for graph in range(2):
        rows = (graph == GRAPH).nonzero().flatten()
        sources = [components[rows], machines[graph : graph + 1], components[rows]]
        embedded = [
            torch.nn.functional.silu(embed(x))
            for embed, x in zip(module.embed, sources, strict=True)
        ]
        tokens = torch.stack(
            [
                embedded[0][APPLIES[rows, 0]].mean(0),
                embedded[1][0],
                embedded[2][APPLIES[rows, 1]].mean(0),
            ]
        )
        heard = module.exchange(tokens.unsqueeze(0))[0] - tokens
        for position, head in enumerate(module.heads):
            answer = module.out[position](embedded[position] + heard[position])
            place = [graph] if head.name == "fault" else rows
            assert_close(outputs[head.name][place], answer, 1e-10)


def test_a_graph_without_any_component_for_a_head_gets_finite_answers() -> None:
    none = torch.zeros_like(APPLIES)
    outputs = block()(*embeddings(), GRAPH, none)
    assert all(output.isfinite().all() for output in outputs.values())


def test_a_machine_with_evidence_is_what_its_components_say() -> None:
    module = randomised(TaskHeads(joined_heads(), CHANNELS, 4, dropout=0.0).double().eval())
    outputs = module(*embeddings(), GRAPH, APPLIES)
    assert list(outputs) == ["health", "worn", "life", "faults", "leaks"]
    worn, leaks = outputs["worn"], outputs["leaks"]
    for graph in range(2):
        rows = [row for row in range(5) if GRAPH[row] == graph]
        asked = [row for row in rows if APPLIES[row, 0]]  # of "worn"; "leaks" asks all
        assert_close(outputs["health"][graph], worn[asked].amin(0), 1e-12)
        odds = sum(leaks[row].exp() for row in rows)
        assert_close(outputs["faults"][graph], odds.log(), 1e-12)


def test_a_machine_without_any_component_for_its_evidence_is_sound() -> None:
    module = TaskHeads(joined_heads(), CHANNELS, 4, dropout=0.0).double()
    outputs = module(*embeddings(), GRAPH, torch.zeros_like(APPLIES))
    assert (outputs["health"] == 1.0).all()
    assert (outputs["faults"].sigmoid() < 1e-12).all()
    outputs["faults"].sum().backward()


def test_before_it_has_learned_anything_a_machine_of_many_components_is_sound() -> None:
    module = TaskHeads(joined_heads(), CHANNELS, 4, dropout=0.0).double()
    graph = torch.zeros(20, dtype=torch.int64)
    parts, machine = torch.zeros(20, CHANNELS).double(), torch.zeros(1, CHANNELS).double()
    asked = torch.ones(20, 2, dtype=torch.bool)
    outputs = module(parts, machine, graph, asked)
    assert (outputs["faults"].sigmoid() < 0.25).all()
    assert (outputs["leaks"].sigmoid() < 0.02).all()


def test_what_a_machine_is_told_teaches_its_components() -> None:
    module = TaskHeads(joined_heads(), CHANNELS, 4, dropout=0.0).double()
    # No weights of their own: those of "worn", "life" and "leaks" are all.
    assert [out.out_features for out in module.out] == [1, 1, 2]
    outputs = module(*embeddings(), GRAPH, APPLIES)
    (outputs["health"].sum() + outputs["faults"].sum()).backward()
    gradients = [out.weight.grad for out in module.out]
    assert gradients[1] is None  # of "life"
    assert all(gradients[k] is not None and gradients[k].abs().sum() > 0 for k in (0, 2))


def test_the_health_of_components_is_one_less_their_largest_severity() -> None:
    health = {"level": "machine", "kind": "regression", "evidence": "worn"}
    worn = {"level": "component", "kind": "regression", "label": "health", "evidence": "severity"}
    severity = {"level": "component", "kind": "regression", "labels": ["a", "b", "c"]}
    asked = {"health": health, "worn": worn, "severity": severity}
    task = [validate(HeadSpec, {"name": name, **fields}) for name, fields in asked.items()]
    module = randomised(TaskHeads(task, CHANNELS, 4, dropout=0.0).double().eval())
    assert [out.out_features for out in module.out] == [3]
    outputs = module(*embeddings(), GRAPH, APPLIES[:, [1, 1]])
    expected = 1.0 - outputs["severity"].amax(1)
    assert_close(outputs["worn"][:, 0], expected)
    least = torch.stack([expected[:3].min(), expected[3:].min()])
    assert_close(outputs["health"][:, 0], least)


def test_what_others_say_is_added_before_machines_are_made_of_components() -> None:
    module = randomised(TaskHeads(joined_heads(), CHANNELS, 4, dropout=0.0).double().eval())
    given = embeddings()
    before = module(*given, GRAPH, APPLIES)
    beside = {"worn": torch.full((5, 1), -2.0).double(), "life": torch.ones(2, 1).double()}
    after = module(*given, GRAPH, APPLIES, beside)
    assert_close(after["worn"], before["worn"] - 2.0)
    assert_close(after["health"], before["health"] - 2.0)
    assert_close(after["life"], before["life"] + 1.0)
    assert_close(after["faults"], before["faults"])


def test_every_parameter_gets_a_gradient() -> None:
    module = TaskHeads(heads(), CHANNELS, 4, dropout=0.0).double()
    outputs = module(*embeddings(), GRAPH, APPLIES)
    assert_every_parameter_learns(module, *outputs.values())
