"""Validation of graphs."""

from collections.abc import Iterator

import torch
from torch import Tensor

from hydrascope.graphs.fields import NUM_EDGE_FEATURES, GraphInputs
from hydrascope.graphs.graph import BATCH_ONLY
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.schemas.arguments import checked
from hydrascope.schemas.pyg import Data

_AXES: dict[str, tuple[str, ...]] = {
    "sensor_features": ("sensors", "steps", "features"),
    "sensor_observed": ("sensors", "steps"),
    "sensor_reference": ("sensors", "steps", "features"),
    "sensor_reference_mask": ("sensors", "steps"),
    "sensor_slot": ("sensors",),
    "sensor_kind": ("sensors",),
    "sensor_role": ("sensors",),
    "sensor_span": ("sensors",),
    "sensor_component": ("sensors",),
    "sensor_place": ("sensors",),
    "component_kind": ("components",),
    "component_place": ("components",),
    "component_heads": ("components", "heads"),
    "component_nominal": ("components", "nominal values"),
    "component_nominal_mask": ("components", "nominal values"),
    "edge_index": ("ends", "edges"),
    "edge_features": ("edges", "edge features"),
    "edge_features_mask": ("edges", "edge features"),
    "edge_dynamic": ("edges", "steps", "dynamic features"),
    "edge_dynamic_mask": ("edges", "steps", "dynamic features"),
    "machine_features": ("graphs", "steps", "machine features"),
    "machine_features_mask": ("graphs", "steps", "machine features"),
    "machine_number": ("graphs",),
}
_TYPES = {"mask": torch.bool, "observed": torch.bool, "heads": torch.bool} | dict.fromkeys(
    ("slot", "kind", "role", "component", "place", "index", "number"), torch.int64
)
"""The type of a field by the last word of its name; other fields are floating point."""


@checked
def validate_graph(data: Data, spec: InputSpec | None = None) -> list[str]:
    """Return all faults of a graph or a PyG batch of graphs, empty if there are none.

    Args:
        data: Graph of `GraphBuilder`, or any graph with the same fields.
        spec: Vocabulary of the network that reads it, to check widths and indices, too.
    """
    faults = list(_shape_faults(data, spec))
    if faults:  # the other checks need all fields in the right shape
        return faults
    return [*_index_faults(data, spec), *_value_faults(data), *_structure_faults(data)]


def _shape_faults(data: Data, spec: InputSpec | None) -> Iterator[str]:
    sizes: dict[str, tuple[int, str]] = {
        "ends": (2, "edge_index has two rows"),
        "edge features": (NUM_EDGE_FEATURES, "static edge features"),
        "components": (int(data.num_nodes or 0), "num_nodes"),
        "graphs": (int(getattr(data, "num_graphs", 1)), "number of graphs"),
    }
    if spec is not None:
        names = "names of the network's input spec"
        sizes |= {
            "steps": (spec.steps, "steps of the network's input spec"),
            "features": (len(spec.feature_names), names),
            "dynamic features": (len(spec.edge_dynamic_names), names),
            "machine features": (len(spec.machine_feature_names), names),
            "nominal values": (len(spec.nominal_names), names),
            "heads": (len(spec.component_heads), names),
        }
    for name in (field for field in GraphInputs._fields if field not in BATCH_ONLY):
        value = getattr(data, name, None)
        if not isinstance(value, Tensor):
            yield f"{name} is missing"
            continue
        if value.dim() != len(_AXES[name]):
            yield f"{name} is {list(value.shape)}; expected [{', '.join(_AXES[name])}]"
            continue
        wanted = _TYPES.get(name.rpartition("_")[2])
        if value.dtype != wanted if wanted else not value.is_floating_point():
            yield f"{name} holds {value.dtype}; expected {wanted or 'floating point numbers'}"
        for axis, size in zip(_AXES[name], value.shape, strict=True):
            expected, origin = sizes.setdefault(axis, (size, name))
            if size != expected:
                yield f"{name} has {size} {axis}; expected {expected} ({origin})"


def _index_faults(data: Data, spec: InputSpec | None) -> Iterator[str]:
    limits = {"edge_index": int(data.num_nodes), "sensor_component": int(data.num_nodes)}
    if spec is not None:
        limits |= {
            # One more row each stands for unknown.
            "sensor_slot": len(spec.sensor_slots) + 1,
            "sensor_role": len(spec.sensor_roles) + 1,
            "sensor_kind": len(spec.sensor_kinds),
            "component_kind": len(spec.component_kinds),
            "machine_number": len(spec.machines) + 1,
        }
    vocabulary = ("sensor_slot", "sensor_role", "sensor_kind", "component_kind", "machine_number")
    for name in ("edge_index", "sensor_component", *vocabulary):
        value, limit = data[name], limits.get(name)
        outside = (value < 0) | (value >= limit if limit is not None else False)
        if bool(outside.any()):
            top = "" if limit is None else f" … {limit - 1}"
            yield f"{name} holds {int(value[outside][0])}; accepted: 0{top}"


def _value_faults(data: Data) -> Iterator[str]:
    masks = {
        "sensor_features": data.sensor_observed.unsqueeze(-1),
        "sensor_reference": data.sensor_reference_mask.unsqueeze(-1),
        "component_nominal": data.component_nominal_mask,
        "edge_features": data.edge_features_mask,
        "edge_dynamic": data.edge_dynamic_mask,
        "machine_features": data.machine_features_mask,
    }
    for name, known in masks.items():
        bad = ~torch.isfinite(data[name]) & known
        if bool(bad.any()):
            place = torch.nonzero(bad)[0].tolist()
            where = " where the mask says that it is known"
            yield f"{name} is {float(data[name][tuple(place)])} at {place}{where}"


def _structure_faults(data: Data) -> Iterator[str]:
    graph = getattr(data, "batch", None)
    if isinstance(graph, Tensor):
        if bool((graph.diff() < 0).any()):
            yield "batch is not ascending; the components of a graph stand together"
        ends = data.edge_index
        inside = ((ends >= 0) & (ends < len(graph))).all(0)
        if bool((graph[ends[0, inside]] != graph[ends[1, inside]]).any()):
            yield "an edge joins components of two graphs"
    else:
        graph = torch.zeros(int(data.num_nodes), dtype=torch.int64)
    if bool((data.edge_index[0] == data.edge_index[1]).any()):
        yield "an edge joins a component to itself"
    members = torch.bincount(graph)[graph] if len(graph) else graph
    alone = ~torch.isin(torch.arange(len(graph)), data.edge_index) & (members > 1)
    if bool(alone.any()):
        rows = ", ".join(str(row) for row in torch.nonzero(alone).flatten().tolist())
        yield f"isolated component(s), no edge joins them to the rest: {rows}"
