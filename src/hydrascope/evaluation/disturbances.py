"""Disturbances of held-out windows, for what an answer is worth when its input is disturbed."""

import torch

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.blocks.sensor_layout import sensor_graph
from hydrascope.models.fitness.screening import without
from hydrascope.models.layers.segment import segment_max


def some_removed(inputs: GraphInputs, share: float, generator: torch.Generator) -> GraphInputs:
    """Return the inputs without a share of their sensors."""
    return without(inputs, torch.rand(len(inputs.sensor_slot), generator=generator) < share)


def one_exchanged(inputs: GraphInputs, generator: torch.Generator) -> GraphInputs:
    """Return the inputs with one sensor of each graph as it was in another graph of the build.

    Such a sensor is plausible by itself, but does not fit the others: what a wrong scale, a wrong
    unit or a drift looks like where a sensor varies much in any case.
    """
    slot, graph = inputs.sensor_slot, sensor_graph(inputs)
    order = torch.rand(len(slot), generator=generator).argsort()
    order = order[slot[order].argsort(stable=True)]
    same = slot[order] == slot[order].roll(-1)
    donor = torch.empty_like(order)
    donor[order] = torch.where(same, order.roll(-1), order)
    drawn = torch.rand(len(slot), generator=generator)
    chosen = drawn == segment_max(drawn, graph, len(inputs.graph_id))[graph]
    source = torch.where(chosen, donor, torch.arange(len(slot)))
    return inputs._replace(
        sensor_features=inputs.sensor_features[source],
        sensor_observed=inputs.sensor_observed[source],
    )
