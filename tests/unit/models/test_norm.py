import torch
from layer_checks import (
    assert_close,
    assert_every_parameter_learns,
    exported,
    random_graphs,
    randomised,
)
from torch import Tensor, nn
from torch.export import Dim
from torch_geometric.nn import GraphNorm as ReferenceGraphNorm

from hydrascope.models.layers.norm import GraphNorm

GRAPH = random_graphs((5, 1, 4)).component_graph


class _Sized(nn.Module):
    """The layer behind a tensor that carries the number of graphs, as in `GraphInputs`."""

    def __init__(self, norm: GraphNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor, component_graph: Tensor, graph_id: Tensor) -> Tensor:
        return self.norm(x, component_graph, graph_id.shape[0])


def test_it_is_pyg_graph_norm_at_every_step():
    norm = randomised(GraphNorm(6))
    reference = ReferenceGraphNorm(6)
    reference.load_state_dict(norm.state_dict())
    x = 3 * torch.randn(10, 4, 6) + 2
    result = norm(x, GRAPH, 3)
    for step in range(4):
        assert_close(result[:, step], reference(x[:, step], GRAPH))


def test_it_erases_what_all_components_share_and_a_graph_of_one_component():
    norm, x = GraphNorm(6), torch.randn(10, 6)
    assert_close(norm(x + 7.0, GRAPH, 3), norm(x, GRAPH, 3), 1e-4)
    assert_close(norm(x, GRAPH, 3)[5], torch.zeros(6))


def test_a_second_graph_in_the_batch_changes_nothing_in_the_first():
    norm, x = randomised(GraphNorm(6)), torch.randn(10, 6)
    assert_close(norm(x, GRAPH, 3)[:5], norm(x[:5], GRAPH[:5], 1))


def test_every_parameter_gets_a_gradient():
    norm = randomised(GraphNorm(6))
    assert_every_parameter_learns(norm, norm(torch.randn(10, 6), GRAPH, 3))


def test_it_exports_with_any_number_of_components_and_graphs():
    sized = _Sized(randomised(GraphNorm(6)))
    nodes, graphs = Dim("N", min=1), Dim("G", min=1)
    program = exported(
        sized,
        (torch.randn(10, 4, 6), GRAPH, torch.arange(3)),
        ({0: nodes}, {0: nodes}, {0: graphs}),
    )
    for sizes in ((1,), (3, 7, 2, 2)):
        graph = random_graphs(sizes).component_graph
        inputs = (torch.randn(len(graph), 4, 6), graph, torch.arange(len(sizes)))
        assert_close(program(*inputs), sized(*inputs))
