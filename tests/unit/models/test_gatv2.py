import pytest
import torch
import torch.nn.functional as F
from layer_checks import (
    assert_close,
    assert_every_parameter_learns,
    exported,
    permuted,
    random_graphs,
    randomised,
)
from torch.export import Dim
from torch_geometric.nn import GATv2Conv

from hydrascope.models.layers.gatv2 import EdgeGATv2

GRAPHS = random_graphs((5, 4))


def _reference(layer: EdgeGATv2, in_channels: int, edge_dim: int | None) -> GATv2Conv:
    """PyG's layer with the same weights; its own path is `residual=True`."""
    heads, width = layer.attention.shape
    reference = GATv2Conv(
        in_channels, width, heads, edge_dim=edge_dim, add_self_loops=False, residual=True
    )
    weights = {
        "att": layer.attention[None],
        "bias": layer.own.bias,
        "res.weight": layer.own.weight,
        "lin_l.weight": layer.source.weight,
        "lin_l.bias": torch.zeros(heads * width),
        "lin_r.weight": layer.target.weight,
        "lin_r.bias": layer.target.bias,
    }
    if layer.edge is not None:
        weights["lin_edge.weight"] = layer.edge.weight
    reference.load_state_dict(weights)
    return reference


def _naive(layer: EdgeGATv2, x: torch.Tensor) -> torch.Tensor:
    """Loops over components, edges and heads, straight from the docstring; x is [N, C]."""
    heads, width = layer.attention.shape
    source, target, own = layer.source(x), layer.target(x), layer.own(x)
    edge, (scale, shift) = (
        layer.edge(GRAPHS.edge_features),
        layer.edge_message(GRAPHS.edge_features).chunk(2, -1),
    )
    out = own.clone()
    for i in range(len(x)):
        incoming = [k for k, to in enumerate(GRAPHS.edge_index[1].tolist()) if to == i]
        for h in range(heads):
            part = slice(h * width, (h + 1) * width)
            logits, messages = [], []
            for k in incoming:
                j = int(GRAPHS.edge_index[0, k])
                hidden = (source[j] + target[i] + edge[k])[part]
                logits.append(layer.attention[h] @ F.leaky_relu(hidden, 0.2))
                messages.append((source[j] * (1 + scale[k]) + shift[k])[part])
            weights = torch.stack(logits).softmax(0)
            out[i, part] += sum(w * m for w, m in zip(weights, messages, strict=True))
    return out


def test_with_its_message_weights_at_zero_it_is_pyg_gatv2_at_every_step_in_one_call():
    layer = EdgeGATv2(6, 8, attention_heads=2, edge_channels=8)
    x = torch.randn(9, 3, 6)
    result = layer(x, GRAPHS.edge_index, GRAPHS.edge_features)
    reference = _reference(layer, 6, edge_dim=8)
    for step in range(3):
        expected = reference(x[:, step], GRAPHS.edge_index, GRAPHS.edge_features)
        assert_close(result[:, step], expected)


def test_without_edge_channels_it_is_pyg_gatv2_without_edge_features():
    layer = randomised(EdgeGATv2(6, 8, attention_heads=2, edge_channels=0))
    x = torch.randn(9, 6)
    expected = _reference(layer, 6, edge_dim=None)(x, GRAPHS.edge_index)
    assert_close(layer(x, GRAPHS.edge_index, GRAPHS.edge_features), expected)


def test_edge_conditioned_messages_equal_a_loop_over_edges_and_heads():
    layer = randomised(EdgeGATv2(6, 8, attention_heads=2, edge_channels=8))
    x = torch.randn(9, 6)
    assert_close(layer(x, GRAPHS.edge_index, GRAPHS.edge_features), _naive(layer, x))


def test_a_line_acts_on_what_flows_even_to_a_component_with_one_neighbour():
    layer = randomised(EdgeGATv2(6, 8, attention_heads=2, edge_channels=8))
    x, edge_index = torch.randn(2, 6), torch.tensor([[0], [1]])
    narrow = layer(x, edge_index, torch.zeros(1, 8))
    wide = layer(x, edge_index, torch.ones(1, 8))
    assert (narrow[1] - wide[1]).abs().max() > 0.1


def test_a_component_without_incoming_edges_gets_its_own_path():
    layer = randomised(EdgeGATv2(6, 8, attention_heads=2, edge_channels=8))
    x = torch.randn(3, 6)
    none = layer(x, torch.empty(2, 0, dtype=torch.long), torch.empty(0, 8))
    assert_close(none, layer.own(x))


def test_permuting_components_and_edges_permutes_the_output():
    layer = randomised(EdgeGATv2(6, 8, attention_heads=2, edge_channels=8))
    x, order = torch.randn(9, 2, 6), torch.randperm(9)
    shuffled = permuted(GRAPHS, order)
    result = layer(x[order], shuffled.edge_index, shuffled.edge_features)
    assert_close(result, layer(x, GRAPHS.edge_index, GRAPHS.edge_features)[order])


def test_a_second_graph_in_the_batch_changes_nothing_in_the_first():
    layer = randomised(EdgeGATv2(6, 8, attention_heads=2, edge_channels=8))
    x, alone = torch.randn(9, 6), GRAPHS.edge_index[0] < 5
    first = layer(x[:5], GRAPHS.edge_index[:, alone], GRAPHS.edge_features[alone])
    assert_close(layer(x, GRAPHS.edge_index, GRAPHS.edge_features)[:5], first)


@pytest.mark.parametrize("edge_channels", [0, 8])
def test_every_parameter_gets_a_gradient(edge_channels):
    layer = EdgeGATv2(6, 8, attention_heads=2, edge_channels=edge_channels)
    result = layer(torch.randn(9, 3, 6), GRAPHS.edge_index, GRAPHS.edge_features)
    assert_every_parameter_learns(layer, result)


def test_it_exports_with_any_number_of_components_and_edges():
    layer = randomised(EdgeGATv2(6, 8, attention_heads=2, edge_channels=8)).eval()
    nodes, edges = Dim("N", min=1), Dim("E", min=0)
    program = exported(
        layer,
        (torch.randn(9, 3, 6), GRAPHS.edge_index, GRAPHS.edge_features),
        ({0: nodes}, {1: edges}, {0: edges}),
    )
    for graphs in (random_graphs((1,)), random_graphs((3, 7, 4))):
        x = torch.randn(graphs.num_components, 3, 6)
        inputs = (x, graphs.edge_index, graphs.edge_features)
        assert_close(program(*inputs), layer(*inputs))


def test_channels_that_the_heads_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="out_channels=9 is not a multiple of attention_heads=2"):
        EdgeGATv2(6, 9, attention_heads=2, edge_channels=8)
