"""One graph, or a batch of them, as PyTorch Geometric knows it."""

from typing import Any

from torch_geometric.data import Data

from hydrascope.graphs.fields import GraphInputs

_POINTS_AT_COMPONENTS = ("edge_index", "sensor_component")
BATCH_ONLY = ("component_graph", "graph_id", "place_id")
"""Fields of `GraphInputs` that a single graph has no need of; PyG's `batch` and `num_graphs`."""


class HydraulicGraph(Data):  # type: ignore[misc]  # PyG is not read by mypy
    """One window of one machine: the fields of `GraphInputs` but for `BATCH_ONLY`.

    `torch_geometric.data.Batch` lays several end to end as `GraphLayout.batch` does.
    """

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Shift what points at components by their number, and nothing else."""
        return self.num_nodes if key in _POINTS_AT_COMPONENTS else 0

    def __cat_dim__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> int:
        """Join edges along their columns and everything else along its rows."""
        return 1 if key == "edge_index" else 0


def to_graph(inputs: GraphInputs, **more: Any) -> HydraulicGraph:
    """Return a batch of one window as a graph; `more` are further attributes, such as targets."""
    fields = {name: value for name, value in inputs._asdict().items() if name not in BATCH_ONLY}
    return HydraulicGraph(num_nodes=inputs.component_kind.shape[0], **fields, **more)
