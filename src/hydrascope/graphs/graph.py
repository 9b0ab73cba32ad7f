"""Graphs in the form of PyTorch Geometric."""

from typing import Any

from hydrascope.graphs.fields import GraphInputs
from hydrascope.schemas.pyg import Data

_POINTS_AT_COMPONENTS = ("edge_index", "sensor_component")
BATCH_ONLY = ("component_graph", "graph_id", "place_id")
"""The fields of `GraphInputs` that a single graph lacks; PyG has `batch` and `num_graphs`."""


class HydraulicGraph(Data):  # type: ignore[misc]  # PyG is not read by mypy
    """A window of a machine, with the fields of `GraphInputs` except `BATCH_ONLY`.

    `torch_geometric.data.Batch` concatenates graphs in the same way as `GraphLayout.batch`.
    """

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the shift of component indices; other fields are not shifted."""
        return self.num_nodes if key in _POINTS_AT_COMPONENTS else 0

    def __cat_dim__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> int:
        """Return the axis to join along: columns of edges, rows of other fields."""
        return 1 if key == "edge_index" else 0


def to_graph(inputs: GraphInputs, **more: Any) -> HydraulicGraph:
    """Convert a batch of one window to a graph; `more` are other attributes, such as targets."""
    fields = {name: value for name, value in inputs._asdict().items() if name not in BATCH_ONLY}
    return HydraulicGraph(num_nodes=inputs.component_kind.shape[0], **fields, **more)
