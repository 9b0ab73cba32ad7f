"""Windows with random content, for tests that only ask where it goes."""

import torch
from torch import Tensor

from hydrascope.graphs.fields import WindowFields
from hydrascope.schemas import GraphTopology


def window_fields(
    topology: GraphTopology, features: Tensor, observed: Tensor, *, dynamic: int = 0, own: int = 0
) -> WindowFields:
    """The sensors' features, with `dynamic` random features a line and `own` of the machine."""
    generator = torch.Generator().manual_seed(len(features))
    windows, _, steps, _ = features.shape
    of_edges = (windows, len(topology.directed_edges()), steps, dynamic)
    of_machine = (windows, steps, own)
    return WindowFields(
        features,
        observed,
        torch.rand(of_edges, generator=generator),
        torch.rand(of_edges, generator=generator) > 0.5,
        torch.rand(of_machine, generator=generator),
        torch.rand(of_machine, generator=generator) > 0.5,
    )
