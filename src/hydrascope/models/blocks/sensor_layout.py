"""Arrangement of sensors by graph and place: equal places hold the same sensor of a build.

Shapes: G graphs, S sensors in the batch, P places of the sensors of a build, T steps, F features.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.layers.segment import segment_max, segment_sum


class LaidOut(NamedTuple):
    """The features of sensors, arranged by graph and place."""

    features: Tensor
    """[G, P, T, F] float64; 0 where not observed."""
    observed: Tensor
    """[G, P, T] bool."""


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


def build_of(inputs: GraphInputs, slot_build: Tensor) -> Tensor:
    """Return the number of each graph's build, [G] int64, from that of each slot."""
    own = slot_build[inputs.sensor_slot]
    return segment_max(own, sensor_graph(inputs), inputs.graph_id.shape[0])


def rows_of(inputs: GraphInputs, place: Tensor, places: int) -> Tensor:
    """Return each sensor's row among the places of all graphs, from its place [S] in its graph."""
    return sensor_graph(inputs) * places + place


def lay_out(values: Tensor, row: Tensor, graphs: int, places: int) -> Tensor:
    """Sum values [S, ...] into their rows, [G, P, ...]; 0 for an empty row."""
    laid_out = segment_sum(values, row, graphs * places)
    return laid_out.reshape(graphs, places, *values.shape[1:])


def features_laid_out(inputs: GraphInputs, observed: Tensor, row: Tensor, places: int) -> LaidOut:
    """Arrange the features that are observed [S, T] in the rows of their sensors, [S]."""
    known = inputs.sensor_features.masked_fill(~observed.unsqueeze(-1), 0.0).double()
    at = row, inputs.graph_id.shape[0], places
    return LaidOut(lay_out(known, *at), lay_out(observed.long(), *at) > 0)
