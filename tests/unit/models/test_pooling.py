import pytest
import torch
from layer_checks import (
    assert_close,
    assert_every_parameter_learns,
    exported,
    random_graphs,
)
from torch import Tensor, nn
from torch.export import Dim

from hydrascope.models.layers.pooling import MachinePool, SetPool, StepPool

OWNER = torch.tensor([0, 2, 0, 2, 2])  # component 1 carries no sensor


def test_set_pooling_equals_a_loop_over_components_steps_and_heads():
    pool = SetPool(6, attention_heads=2).double()
    rows = torch.randn(5, 4, 6, dtype=torch.float64)
    observed = torch.rand(5, 4) > 0.4
    result, seen = pool(rows, observed, OWNER, 3)
    for component in range(3):
        for step in range(4):
            members = [k for k in range(5) if OWNER[k] == component and observed[k, step]]
            assert bool(seen[component, step]) == bool(members)
            expected = torch.zeros(6, dtype=torch.float64)
            for head in range(2):
                part = slice(3 * head, 3 * head + 3)
                if members:
                    logits = torch.stack([pool.score.weight[head] @ rows[k, step] for k in members])
                    expected[part] = logits.softmax(0) @ rows[members, step, part]
            assert_close(result[component, step], expected, 1e-12)


def test_a_masked_sensor_changes_nothing():
    pool, rows, observed = SetPool(6, 2), torch.randn(5, 4, 6), torch.rand(5, 4) > 0.4
    result, seen = pool(rows, observed, OWNER, 3)
    more = torch.cat((torch.full((1, 4, 6), 1e6), rows))
    masked = torch.cat((torch.zeros(1, 4, dtype=torch.bool), observed))
    again, seen_again = pool(more, masked, torch.cat((torch.tensor([2]), OWNER)), 3)
    assert_close(again, result)
    assert torch.equal(seen_again, seen)


def test_the_order_of_the_sensors_does_not_matter():
    pool, rows, observed = SetPool(6, 2), torch.randn(5, 4, 6), torch.rand(5, 4) > 0.4
    order = torch.randperm(5)
    shuffled = pool(rows[order], observed[order], OWNER[order], 3)[0]
    assert_close(shuffled, pool(rows, observed, OWNER, 3)[0])


def test_step_pooling_is_a_softmax_over_the_observed_steps():
    pool = StepPool(6)
    x = torch.randn(3, 5, 6)
    observed = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]]).bool()
    result = pool(x.masked_fill(~observed.unsqueeze(-1), torch.nan), observed)
    for row in range(2):
        steps = x[row][observed[row]]
        assert_close(result[row], (steps @ pool.score.weight[0]).softmax(0) @ steps)
    assert_close(result[2], torch.zeros(6))


def test_mean_and_max_of_a_machine_equal_a_loop_over_graphs():
    graph = random_graphs((3, 1, 4)).component_graph
    x = torch.randn(8, 6)
    pool = MachinePool(6)
    result = pool(x, graph, 3)
    assert result.shape[-1] == pool.out_channels == 12
    for g in range(3):
        members = x[graph == g]
        assert_close(result[g], torch.cat((members.mean(0), members.amax(0))))


@pytest.mark.parametrize("mode", ["mean_max", "attention"])
def test_a_machines_pool_ignores_the_order_of_components_and_other_graphs(mode):
    graph, order = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([2, 0, 1, 4, 3])
    pool, x = MachinePool(32, mode), torch.randn(5, 32)
    result = pool(x, graph, 2)
    assert result.shape == (2, pool.out_channels)
    assert_close(pool(x[order], graph, 2), result)
    assert_close(pool(x[:3], graph[:3], 1), result[:1])


def test_every_parameter_gets_a_gradient():
    sets, steps, graphs = SetPool(6, 2), StepPool(6), MachinePool(32, "attention")
    rows = torch.randn(5, 4, 6)
    assert_every_parameter_learns(sets, sets(rows, torch.rand(5, 4) > 0.2, OWNER, 3)[0])
    assert_every_parameter_learns(steps, steps(rows, torch.rand(5, 4) > 0.2))
    graph = torch.tensor([0, 0, 0, 1, 1])
    assert_every_parameter_learns(graphs, graphs(torch.randn(5, 32), graph, 2))


def test_an_unknown_pooling_is_refused_by_name():
    with pytest.raises(ValueError, match="'sum' is neither 'mean_max' nor 'attention'"):
        MachinePool(6, "sum")


class _Pools(nn.Module):
    """Sensors to components to graphs, sized by tensors as in `GraphInputs`."""

    def __init__(self) -> None:
        super().__init__()
        self.sets, self.steps, self.graphs = SetPool(6, 2), StepPool(6), MachinePool(6)

    def forward(
        self,
        rows: Tensor,
        observed: Tensor,
        owner: Tensor,
        component_graph: Tensor,
        graph_id: Tensor,
    ) -> Tensor:
        pooled, seen = self.sets(rows, observed, owner, component_graph.shape[0])
        return self.graphs(self.steps(pooled, seen), component_graph, graph_id.shape[0])


def test_pools_export_with_any_number_of_sensors_components_and_graphs():
    module = _Pools().eval()

    def inputs(sensors: int, sizes: tuple[int, ...]) -> tuple[Tensor, ...]:
        graph = random_graphs(sizes).component_graph
        owner = torch.randint(0, len(graph), (sensors,))
        observed = torch.rand(sensors, 4) > 0.3
        return torch.randn(sensors, 4, 6), observed, owner, graph, torch.arange(len(sizes))

    sensors, nodes, graphs = Dim("S", min=1), Dim("N", min=1), Dim("G", min=1)
    shapes = ({0: sensors}, {0: sensors}, {0: sensors}, {0: nodes}, {0: graphs})
    program = exported(module, inputs(7, (3, 2)), shapes)
    for size in ((1, (1,)), (20, (4, 1, 6))):
        batch = inputs(*size)
        assert_close(program(*batch), module(*batch))
