import torch
from layer_checks import (
    Graphs,
    assert_close,
    assert_every_parameter_learns,
    exported,
    permuted,
    random_graphs,
    randomised,
)
from torch import Tensor, nn
from torch.export import Dim

from hydrascope.models.blocks.sensor_encoder import SensorSetEncoder
from hydrascope.models.blocks.spatial import GATBlock
from hydrascope.models.blocks.temporal import TemporalBlock

GRAPHS = random_graphs((5, 4))


def _block() -> GATBlock:
    return randomised(GATBlock(8, attention_heads=2, edge_channels=8))


def _run(block: nn.Module, x: Tensor, graphs: Graphs) -> Tensor:
    return block(x, *graphs, graphs.num_graphs)


def test_permuting_components_permutes_the_output():
    block, x, order = _block(), torch.randn(9, 3, 8), torch.randperm(9)
    assert_close(_run(block, x[order], permuted(GRAPHS, order)), _run(block, x, GRAPHS)[order])


def test_a_second_graph_in_the_batch_changes_nothing_in_the_first():
    block, x, alone = _block(), torch.randn(9, 8), random_graphs((5,))
    first = Graphs(alone.edge_index, GRAPHS.edge_features[: alone.edge_index.shape[1]], *alone[2:])
    assert_close(_run(block, x, GRAPHS)[:5], _run(block, x[:5], first))


def test_steps_do_not_mix():
    block, x = _block(), torch.randn(9, 3, 8)
    assert_close(_run(block, x, GRAPHS)[:, 1], _run(block, x[:, 1], GRAPHS))


def test_a_shift_that_all_components_share_lives_on_in_the_stream():
    block, x = _block(), torch.randn(9, 8)
    shifted = _run(block, x + 1.0, GRAPHS) - _run(block, x, GRAPHS)
    assert shifted.abs().mean() > 0.3


def test_every_parameter_gets_a_gradient():
    block = _block()
    assert_every_parameter_learns(block, _run(block, torch.randn(9, 8), GRAPHS))


class _Trunk(nn.Module):
    """The blocks behind each other, sized by tensors as in `GraphInputs`."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = SensorSetEncoder(5, 8, 4, 3, attention_heads=2)
        self.temporal = TemporalBlock(8, 2, steps=3, variant="gated")
        self.spatial = GATBlock(8, attention_heads=2, edge_channels=8, dropout=0.1)

    def forward(self, sensors: tuple[Tensor, ...], graphs: Graphs, graph_id: Tensor) -> Tensor:
        nominal = sensors[0].new_zeros((sensors[5].shape[0], 0))  # none are given
        encoding = self.encoder(*sensors, nominal, nominal.bool())
        steps = self.temporal(encoding.sequence, encoding.observed)
        summary = steps.summary.unflatten(-1, (2, -1)).sum(1) + encoding.component
        return self.spatial(summary, *graphs, graph_id.shape[0])


def _inputs(sensors: int, sizes: tuple[int, ...]) -> tuple[tuple[Tensor, ...], Graphs, Tensor]:
    graphs = random_graphs(sizes)
    index = torch.arange(sensors)
    owner = torch.randint(0, graphs.num_components, (sensors,))
    features, observed = torch.randn(sensors, 3, 5), torch.rand(sensors, 3) > 0.3
    kinds = torch.arange(graphs.num_components) % 3
    batch = (features, observed, index, index % 4, owner, kinds)
    return batch, graphs, torch.arange(len(sizes))


def test_the_blocks_export_together_with_every_size_dynamic():
    trunk = _Trunk().eval()
    s, n, e, g = (Dim(name, min=1) for name in "SNEG")
    shapes = (((*[{0: s}] * 5, {0: n})), Graphs({1: e}, {0: e}, {0: n}), {0: g})
    program = exported(trunk, _inputs(7, (5, 4)), shapes)
    for size in ((1, (2,)), (20, (3, 1, 6))):
        batch = _inputs(*size)
        assert_close(program(*batch), trunk(*batch))


def test_bfloat16_autocast_trains_all_blocks_and_stays_near_single_precision():
    trunk, batch = _Trunk().eval(), _inputs(20, (3, 1, 6))
    with torch.autocast("cpu", torch.bfloat16):
        result = trunk(*batch)
    assert_close(result.float(), trunk(*batch), 0.1)
    assert_every_parameter_learns(trunk, result)


def test_the_blocks_train_in_one_compiled_graph_over_batches_of_many_shapes():
    trunk = _Trunk()
    frames: list[int] = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> torch.fx.GraphModule:
        frames.append(len(graph.graph.nodes))
        return graph

    compiled = torch.compile(trunk, fullgraph=True, dynamic=True, backend=backend)
    # The first batch has no two sizes alike: torch.compile would take them for one and the same.
    for size in ((11, (5, 4, 1, 6)), (9, (3, 2, 6)), (20, (3, 1, 6, 7, 2)), (31, (8, 8))):
        compiled(*_inputs(*size)).sum().backward()
    assert len(frames) == 1
    for name, parameter in trunk.named_parameters():
        assert parameter.grad.isfinite().all(), name
