import math

import pytest
import torch
from layer_checks import assert_close, assert_every_parameter_learns, exported
from torch.export import Dim

from hydrascope.models.blocks.task_heads import TaskMLP
from hydrascope.models.layers.self_attention import SelfAttention


def test_attention_equals_loops_over_graphs_heads_and_tasks():
    layer = SelfAttention(6, attention_heads=2).double()
    tasks = torch.randn(3, 4, 6, dtype=torch.float64)
    query, key, value = layer.project(layer.norm(tasks)).chunk(3, -1)
    mixed = torch.zeros_like(tasks)
    for g in range(3):
        for h in range(2):
            part = slice(3 * h, 3 * h + 3)
            for i in range(4):
                logits = torch.stack([query[g, i, part] @ key[g, j, part] for j in range(4)])
                weights = (logits / math.sqrt(3)).softmax(0)
                mixed[g, i, part] = sum(weights[j] * value[g, j, part] for j in range(4))
    assert_close(layer(tasks), tasks + layer.out(mixed), 1e-12)


def test_permuting_the_tasks_permutes_the_output_and_graphs_do_not_mix():
    layer, tasks, order = (
        SelfAttention(6, attention_heads=2),
        torch.randn(3, 4, 6),
        torch.randperm(4),
    )
    result = layer(tasks)
    assert_close(layer(tasks[:, order]), result[:, order])
    assert_close(layer(tasks[1:2]), result[1:2])


def test_the_control_has_as_many_parameters_and_no_exchange():
    control, tasks = TaskMLP(6), torch.randn(3, 4, 6)
    counts = [sum(p.numel() for p in m.parameters()) for m in (control, SelfAttention(6, 2))]
    assert counts[0] == counts[1]
    assert_close(control(tasks[:, :1]), control(tasks)[:, :1])


@pytest.mark.parametrize("layer", [SelfAttention(6, 2), TaskMLP(6)])
def test_every_parameter_gets_a_gradient(layer):
    assert_every_parameter_learns(layer, layer(torch.randn(3, 4, 6)))


def test_it_exports_with_any_number_of_graphs():
    layer = SelfAttention(6, attention_heads=2).eval()
    program = exported(layer, (torch.randn(3, 4, 6),), ({0: Dim("G", min=1)},))
    for graphs in (1, 5):
        tasks = torch.randn(graphs, 4, 6)
        assert_close(program(tasks), layer(tasks))
