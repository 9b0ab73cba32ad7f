"""Scores of normality and their thresholds: of sensors, components and machines."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.alarm_test import AlarmTest
from hydrascope.models.base import ModelOutput
from hydrascope.models.blocks.sensor_layout import build_of, build_places, sensor_graph
from hydrascope.models.detectors.detector import Detector
from hydrascope.models.layers.segment import segment_max
from hydrascope.models.normality.operating import OperatingPoints
from hydrascope.models.normality.scored_windows import ScoresByLevel
from hydrascope.schemas.normality import COMPONENT, LEVELS, MACHINE, OPERATING_POINT, SENSOR

_LEAST_THRESHOLD = 1e-3
"""The smallest threshold that a score is divided by; a sensor that never moved scores 0."""


class Detected(NamedTuple):
    """What a detector gives for a batch; as in `ModelOutput`."""

    parts: dict[str, Tensor]
    shares: Tensor | None


class Normality(nn.Module):
    """Compares the scores of a detector with thresholds.

    A score is the root of (change + λ level) / steps, the parts of which a detector gives by level;
    see `ScoredWindows.parts`. It is returned as a multiple of its threshold; above 1 is an alarm.
    It is NaN if there is nothing to score: no sensor, none observed, or none seen in training.

    Args:
        spec: The vocabularies and counts of the inputs.
        level_share: The weight λ of the level; with 1 a score counts all squares alike.
        covariates: Slots of the sensors that show what is asked of a machine; none: no operating
            point is judged.
        beside: The detector that scores beside a model with heads; None if the model is a detector.

    Attributes:
        in_turn: The scores of training windows, each by a model that has not learned from it;
            None if only validation windows set the thresholds. They are in checkpoints alone.
        operating: Judges the operating point; None without covariates.
    """

    slot_topology: Tensor
    threshold_machine: Tensor
    threshold_component: Tensor
    threshold_sensor: Tensor
    held_out: Tensor
    held_out_h: Tensor
    """The machine-hours that set the thresholds of machines by the alarm test."""
    width: Tensor
    """The width of the alarm test of each of `LEVELS`, [3]; NaN if windows are judged singly."""

    def __init__(
        self,
        spec: InputSpec,
        *,
        level_share: float = 1.0,
        covariates: Sequence[int] = (),
        beside: Detector | None = None,
    ) -> None:
        super().__init__()
        self.level_share, self.beside = level_share, beside
        self.in_turn: ScoresByLevel | None = None
        self.operating = OperatingPoints(spec, covariates) if covariates else None
        build, _, _ = build_places(spec)
        self.topologies = len(spec.builds)
        self.machines, self.slots = len(spec.machines), len(build)
        self.register_buffer("slot_topology", build)
        unknown = torch.full(((1 + self.machines) * self.slots,), torch.nan)
        self.register_buffer("threshold_sensor", unknown.clone())
        self.register_buffer("threshold_component", unknown.clone())
        of_machines = torch.full((self.topologies + self.machines,), torch.nan)
        self.register_buffer("threshold_machine", of_machines)
        self.register_buffer("held_out", torch.zeros((), dtype=torch.int64))
        self.register_buffer("held_out_h", torch.zeros((), dtype=torch.float64))
        self.register_buffer("width", torch.full((len(LEVELS),), torch.nan, dtype=torch.float64))

    def detected(self, inputs: GraphInputs, output: ModelOutput) -> Detected:
        """Return what the detector gives.

        Args:
            inputs: The normalised inputs.
            output: The model's output for them.
        """
        own = output if self.beside is None else self.beside(inputs)
        assert own.parts is not None
        return Detected(own.parts, own.shares)

    def score(self, parts: Tensor) -> Tensor:
        """Return the scores of parts [R, 3], not divided by a threshold; NaN without steps."""
        change, level, steps = parts.unbind(-1)
        square = change + self.level_share * level
        return torch.where(steps > 0, (square / steps.clamp(min=1.0)).sqrt(), torch.nan)

    def keys(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return the index of each score's threshold in the tables of `thresholds`.

        It is that of the build (`build_keys`), or for a machine of the vocabulary its own, which
        is NaN if it has none.
        """
        number, build = inputs.machine_number, self.build_keys(inputs)
        known = number < self.machines
        shift = torch.where(known, (number + 1) * self.slots, 0)
        return {
            MACHINE: torch.where(known, self.topologies + number, build[MACHINE]),
            COMPONENT: build[COMPONENT] + shift[inputs.component_graph],
            SENSOR: build[SENSOR] + shift[sensor_graph(inputs)],
        }

    def build_keys(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return the index of the threshold that all machines of a build share.

        The index is the topology for a machine, the slot for a sensor, and the first slot among its
        sensors for a component.
        """
        slot, components = inputs.sensor_slot, inputs.component_kind.shape[0]
        first = -segment_max(-slot, inputs.sensor_component, components)
        return {MACHINE: build_of(inputs, self.slot_topology), COMPONENT: first, SENSOR: slot}

    def graphs(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return the graph that each score belongs to."""
        component = inputs.component_graph
        return {MACHINE: inputs.graph_id, COMPONENT: component, SENSOR: sensor_graph(inputs)}

    def thresholds(self) -> dict[str, Tensor]:
        """Return the table of thresholds of each level: those of builds, then those of machines."""
        return {
            MACHINE: self.threshold_machine,
            COMPONENT: self.threshold_component,
            SENSOR: self.threshold_sensor,
        }

    def alarm_test(self, level: str) -> AlarmTest | None:
        """Return the test over the windows of a level's scores; None: windows stand alone."""
        width = float(self.width[LEVELS.index(level)])
        return None if math.isnan(width) else AlarmTest(width)

    def forward(self, inputs: GraphInputs, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return each level's scores as multiples of their thresholds, from `parts`.

        They are NaN at a new operating point. How new it is, `OPERATING_POINT`, is added if there
        are covariates.
        """
        own, build = self.keys(inputs), self.build_keys(inputs)
        answers = {}
        for level, each in parts.items():
            share = self.score(each) / self.threshold(level, own[level], build[level])
            answers[level] = share.unsqueeze(-1)
        if self.operating is None:
            return answers
        new = self.operating(inputs).to(answers[MACHINE].dtype)
        for level, graph in self.graphs(inputs).items():
            withheld = (new > 1.0)[graph].unsqueeze(-1)
            answers[level] = torch.where(withheld, torch.nan, answers[level])
        return answers | {OPERATING_POINT: new.unsqueeze(-1)}

    def threshold(self, level: str, own: Tensor, build: Tensor) -> Tensor:
        """Return the thresholds of scores by their `keys`, or else by their `build_keys`."""
        table = self.thresholds()[level].clamp(min=_LEAST_THRESHOLD)  # keeps NaN
        return torch.where(table[own].isnan(), table[build], table[own])
