"""A small hydraulic loop for the tests of the blame, and the blame of one machine."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hydrascope.models.blame.network import BlameInputs, BlameNetwork, joint_logits
from hydrascope.models.blame.places import MachinePlaces
from hydrascope.schemas import GraphTopology, validate


def loop(order: tuple[int, ...] = (), declared: str | None = None) -> GraphTopology:
    """Return motor → pump → accumulator, valve → filter → cooler → tank → pump.

    The accumulator has no sensor.

    Args:
        order: Another order of the components; () for the usual one.
        declared: A kind of one more component, beyond the built-in ones, at the valve's outlet.
    """
    sensors: dict[str, list[tuple[str, str, str]]] = {
        "electric_motor": [("power", "power", "kW")],
        "pump": [("p_pump", "pressure", "bar"), ("q_pump", "flow", "l/min")],
        "accumulator": [],
        "proportional_valve": [("p_valve", "pressure", "bar")],
        "filter": [("p_filter", "pressure", "bar")],
        "cooler": [("t_in", "temperature", "degC"), ("t_out", "temperature", "degC")],
        "tank": [("t_tank", "temperature", "degC")],
    }
    names = {"electric_motor": "motor", "proportional_valve": "valve"}
    components: list[dict[str, Any]] = [
        {
            "id": names.get(kind, kind),
            "kind": kind,
            "sensors": [{"id": i, "kind": k, "unit": u, "rate_hz": 1.0} for i, k, u in each],
        }
        for kind, each in sensors.items()
    ]
    lines = [("motor", "pump"), ("tank", "pump"), ("pump", "accumulator"), ("pump", "valve"),
             ("valve", "filter"), ("filter", "cooler"), ("cooler", "tank")]  # fmt: skip
    if declared is not None:
        components.append({"id": "declared", "kind": declared})
        lines.append(("valve", "declared"))
    content = {
        "id": "loop",
        "component_kinds": [] if declared is None else [declared],
        "components": [components[n] for n in order or range(len(components))],
        "edges": [{"source": a, "target": b, "kind": "link"} for a, b in lines],
    }
    return validate(GraphTopology, content)


def inputs_of(topology: GraphTopology, evidence: Tensor, observed: Tensor) -> BlameInputs:
    """Return windows of one machine, without any padding."""
    places = (each.expand(len(evidence), *each.shape) for each in MachinePlaces.of(topology))
    present = torch.ones(len(evidence), len(topology.components), dtype=torch.bool)
    return BlameInputs(evidence, observed, MachinePlaces(*places), present)


@torch.no_grad()
def blame(
    networks: Sequence[BlameNetwork], topology: GraphTopology, evidence: Tensor, observed: Tensor
) -> Tensor:
    """Return the probability of each component, [W, N]."""
    return joint_logits(networks, inputs_of(topology, evidence, observed)).softmax(dim=-1)
