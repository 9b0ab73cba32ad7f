"""Arrangement of sensors by graph and place: equal places hold the same sensor of a build.

Shapes: G graphs, S sensors in the batch, P places of the sensors of a build.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.layers.segment import segment_sum


class BuildPlaces(NamedTuple):
    """The places of the sensors of all known builds."""

    build: Tensor
    """The number of each slot's build, [slots] int64."""
    place: Tensor
    """The position of each slot among the sensors of its build, [slots] int64."""
    places: int
    """The number of sensors of the largest build, P."""


def build_places(spec: InputSpec) -> BuildPlaces:
    """Return the places of all slots."""
    build = torch.zeros(len(spec.sensor_slots), dtype=torch.int64)
    place = torch.zeros_like(build)
    builds = spec.builds.values()
    for number, slots in enumerate(builds):
        build[slots], place[slots] = number, torch.arange(len(slots))
    return BuildPlaces(build, place, max(map(len, builds), default=0))


def sensor_graph(inputs: GraphInputs) -> Tensor:
    """Return the graph of each sensor, [S] int64."""
    return inputs.component_graph.index_select(0, inputs.sensor_component)


def rows_of(inputs: GraphInputs, place: Tensor, places: int) -> Tensor:
    """Return each sensor's row among the places of all graphs, from its place [S] in its graph."""
    return sensor_graph(inputs) * places + place


def lay_out(values: Tensor, row: Tensor, graphs: int, places: int) -> Tensor:
    """Sum values [S, ...] into their rows, [G, P, ...]; 0 for an empty row."""
    laid_out = segment_sum(values, row, graphs * places)
    return laid_out.reshape(graphs, places, *values.shape[1:])
