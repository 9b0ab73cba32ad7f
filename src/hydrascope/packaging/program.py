"""The diagnoser as an exported program that needs none of our code to run."""

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.packaging.parity import difference
from hydrascope.packaging.program_file import Program


class Plain(nn.Module):
    """Takes the fields of `GraphInputs` one by one, so that the program knows no class of ours."""

    def __init__(self, diagnoser: Diagnoser) -> None:
        super().__init__()
        self.diagnoser = diagnoser

    def forward(self, *fields: Tensor) -> dict[str, Tensor]:
        """Return each head's decoded answer."""
        answers: dict[str, Tensor] = self.diagnoser(GraphInputs(*fields))
        return answers


def export_program(diagnoser: Diagnoser, example: GraphInputs) -> ExportedProgram:
    """Trace the diagnoser; sensors, components, lines and graphs stay free in number.

    Args:
        diagnoser: In evaluation mode, on the CPU.
        example: A batch of at least two graphs; its numbers of steps and features become fixed.
    """
    sensors, components = Dim("sensors"), Dim("components")
    lines, graphs, places = Dim("lines"), Dim("graphs"), Dim("places")
    shapes = {
        "sensor_features": {0: sensors},
        "sensor_observed": {0: sensors},
        "sensor_reference": {0: sensors},
        "sensor_reference_mask": {0: sensors},
        "sensor_slot": {0: sensors},
        "sensor_kind": {0: sensors},
        "sensor_component": {0: sensors},
        "component_kind": {0: components},
        "component_graph": {0: components},
        "component_heads": {0: components},
        "component_nominal": {0: components},
        "component_nominal_mask": {0: components},
        "edge_index": {1: lines},
        "edge_features": {0: lines},
        "edge_dynamic": {0: lines},
        "edge_dynamic_mask": {0: lines},
        "machine_features": {0: graphs},
        "machine_features_mask": {0: graphs},
        "graph_id": {0: graphs},
        "sensor_place": {0: sensors},
        "component_place": {0: components},
        "place_id": {0: places},
    }
    in_order = tuple(shapes[name] for name in GraphInputs._fields)
    with torch.no_grad():
        return torch.export.export(
            Plain(diagnoser).eval(), tuple(example), dynamic_shapes=(in_order,), strict=False
        )


def largest_difference(diagnoser: Diagnoser, program: Program, batches: list[GraphInputs]) -> float:
    """Return the largest absolute difference between exported and eager answers."""
    worst = 0.0
    for batch in batches:
        with torch.no_grad():
            exported = program(*batch)
        worst = max(worst, difference(exported, diagnoser.predict(batch)))
    return worst
