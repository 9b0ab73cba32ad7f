"""The lines of a machine as tensors."""

import torch
from torch import Tensor

from hydrascope.graphs.edges import EDGE_FEATURE_NAMES, edge_features, edge_known
from hydrascope.schemas.machine import GraphTopology


def edge_tensors(topology: GraphTopology) -> tuple[Tensor, Tensor, Tensor]:
    """Return the index [2, E] int64, the features [E, 8] float32 and their mask [E, 8] bool.

    The names in a batch are `edge_index`, `edge_features` and `edge_features_mask`. A bidirectional
    line has two edges with equal features.
    """
    edges = topology.directed_edges()
    index = torch.tensor([(source, target) for source, target, _ in edges], dtype=torch.int64)
    features = torch.tensor([edge_features(edge) for _, _, edge in edges], dtype=torch.float32)
    known = torch.tensor([edge_known(edge) for _, _, edge in edges], dtype=torch.bool)
    shape = (-1, len(EDGE_FEATURE_NAMES))
    return index.reshape(-1, 2).T.contiguous(), features.reshape(shape), known.reshape(shape)
