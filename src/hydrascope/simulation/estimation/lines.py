"""Rules for lines whose sizes are not known."""

import math
from collections.abc import Mapping

from hydrascope.schemas import EdgeSpec, EdgeType
from hydrascope.simulation.estimation.draft import Draft, Estimate
from hydrascope.simulation.estimation.series import HOSES_MM, at_least
from hydrascope.simulation.flow_paths import upstream

VELOCITY_M_S: Mapping[EdgeType, float] = {
    EdgeType.SUCTION_LINE: 1.0,
    EdgeType.RETURN_LINE: 2.0,
    EdgeType.PRESSURE_LINE: 5.0,
}
"""The highest usual velocities of oil (Eaton, "Vickers Industrial Hydraulics Manual", 5th ed. 2008:
0.6 to 1.2 m/s in suction lines, 2 to 6 m/s in pressure lines)."""
_LENGTH_M = 1.0


def line_estimates(draft: Draft, edge: EdgeSpec) -> list[Estimate]:
    """Return the sizes of a line that are not given and can be told."""
    if edge.kind not in VELOCITY_M_S:
        return []
    part, found = f"{edge.source} → {edge.target}", []
    flow = _flow_l_min(draft, edge)
    if edge.diameter_mm is None and flow is not None:
        velocity = VELOCITY_M_S[edge.kind]
        area = flow / 6e4 / velocity
        diameter = at_least(HOSES_MM, 1e3 * math.sqrt(4.0 * area / math.pi))
        rule = f"next above its pumps' flow / {velocity:g} m/s"
        source = "Vickers manual (usual velocities); series ISO 4397"
        found.append(Estimate(part, "diameter_mm", diameter, 0.2, rule, source))
    if edge.length_m is None:
        found.append(
            Estimate(part, "length_m", _LENGTH_M, 0.7, "1 m, as nothing tells it", "usual value")
        )
    return found


def _flow_l_min(draft: Draft, edge: EdgeSpec) -> float | None:
    """Return the theoretical flow of the pumps at one of its ends, else of those before it."""
    pumps = draft.of_kind("pump")
    mine = [edge.target] if edge.target in pumps else [edge.source]
    if mine[0] not in pumps:
        edges = draft.machine.topology.edges
        before = upstream(edges, edge.source, ends=pumps.__contains__)
        mine = [each for each in before if each in pumps]
    flows = [flow for pump in mine if (flow := draft.flow_l_min(pump)) is not None]
    return sum(flows) if flows else None
