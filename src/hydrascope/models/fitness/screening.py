"""Screening of inputs: sensors that are not plausible are treated as missing.

Shapes: G graphs, S sensors in the batch.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.blocks.sensor_layout import sensor_graph
from hydrascope.models.fitness.plausibility import Plausibility
from hydrascope.models.fitness.reliability import Reliability
from hydrascope.models.layers.segment import segment_max
from hydrascope.schemas import fitness
from hydrascope.schemas.fitness import SensorState
from hydrascope.schemas.task import HeadLevel, HeadSpec


class Screened(NamedTuple):
    """Inputs without the sensors that are not plausible, and what was found."""

    inputs: GraphInputs
    findings: dict[str, Tensor]
    """The entries of `schemas.fitness`, except those of the heads."""
    excess: Tensor
    """[G]; how far the sensors contradict each other (`Plausible`)."""


class Fitness(nn.Module):
    """Judges whether the input is fit to be answered; it has only buffers.

    Args:
        spec: The description of the inputs.
        heads: The heads that are answered.
    """

    def __init__(self, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__()
        self.plausibility, self.reliability = Plausibility(spec), Reliability(spec, heads)

    @torch.no_grad()
    def screen(self, inputs: GraphInputs) -> Screened:
        """Remove stuck and doubtful sensors from raw inputs, unless the whole window is unlike."""
        graph, row = sensor_graph(inputs), self.plausibility.summary.row(inputs)
        seen = inputs.sensor_observed.any(1)
        state = torch.where(seen, int(SensorState.SOUND), int(SensorState.MISSING))
        read, expected = torch.full((2, len(graph)), torch.nan, device=state.device)
        unlike = torch.zeros(len(inputs.graph_id), device=state.device)
        typicality, phase = torch.full((2, len(unlike)), torch.nan, device=state.device)
        excess = torch.zeros_like(unlike)
        for graphs, found in self.plausibility(inputs):
            own = torch.isin(graph, graphs)
            at = torch.searchsorted(graphs, graph[own]), row[own] % self.plausibility.summary.places
            state[own], read[own] = found.state[at], found.read[at]
            expected[own] = found.expected[at]
            unlike[graphs], phase[graphs] = found.unlike.to(unlike.dtype), found.phase
            typicality[graphs], excess[graphs] = found.typicality, found.excess
        findings = {
            fitness.STATE: state,
            fitness.READ: read,
            fitness.EXPECTED: expected,
            fitness.UNLIKE: unlike,
            fitness.TYPICALITY: typicality,
            fitness.PHASE: phase,
        }
        removed = (state >= SensorState.STUCK) & (unlike[graph] == 0)
        columns = {name: each.unsqueeze(1) for name, each in findings.items()}
        return Screened(without(inputs, removed), columns, excess)

    @torch.no_grad()
    def judge(self, screened: Screened, answers: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the answers with all entries of `schemas.fitness`.

        The probability that an answer is right is 0 if the window is unlike the training data.
        """
        found = answers | screened.findings
        alike = 1.0 - screened.findings[fitness.UNLIKE]
        trust = self.reliability(screened.inputs, screened.excess, answers)
        for head in self.reliability.heads:
            if head.name in trust:
                at_component = head.level is HeadLevel.COMPONENT
                own = alike[screened.inputs.component_graph] if at_component else alike
                found[fitness.right(head.name)] = trust[head.name].right * own
                found[fitness.basis(head.name)] = trust[head.name].basis
        return found


def without(inputs: GraphInputs, removed: Tensor) -> GraphInputs:
    """Return the inputs without some sensors.

    What is computed from several sensors, of lines and of the machine, is masked in their graphs.

    Args:
        inputs: The inputs.
        removed: [S] bool.
    """
    if not bool(removed.any()):
        return inputs
    graph, graphs = sensor_graph(inputs), len(inputs.graph_id)
    kept = segment_max(removed.long(), graph, graphs) == 0
    of_edge = kept[inputs.component_graph[inputs.edge_index[0]]].view(-1, 1, 1)
    return inputs._replace(
        sensor_observed=inputs.sensor_observed & ~removed.unsqueeze(1),
        edge_dynamic=inputs.edge_dynamic * of_edge,
        edge_dynamic_mask=inputs.edge_dynamic_mask & of_edge,
        machine_features=inputs.machine_features * kept.view(-1, 1, 1),
        machine_features_mask=inputs.machine_features_mask & kept.view(-1, 1, 1),
    )
