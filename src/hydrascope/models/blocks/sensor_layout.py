"""Sensors of a batch laid out by graph and place, so that equal places hold equal sensors.

Shapes: G graphs, S sensors of the batch, P places of the sensors of a build.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.layers.segment import segment_sum


class BuildPlaces(NamedTuple):
    """Where the sensors of all known builds have their places."""

    build: Tensor
    """[slots] int64; number of the slot's build."""
    place: Tensor
    """[slots] int64; position among the sensors of its build."""
    places: int
    """P; sensors of the build that has most."""


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
    """Return the row of each sensor among the places of all graphs, from its place [S] in one."""
    return sensor_graph(inputs) * places + place


def lay_out(values: Tensor, row: Tensor, graphs: int, places: int) -> Tensor:
    """Put values [S, ...] at their rows, [G, P, ...]: 0 where there is none, the sum of several."""
    laid_out = segment_sum(values, row, graphs * places)
    return laid_out.reshape(graphs, places, *values.shape[1:])
