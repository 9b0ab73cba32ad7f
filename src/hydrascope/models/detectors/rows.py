"""Detectors that read a window as one row of values.

Shapes: G graphs, S sensors in the batch, N components, P places of the largest build, T steps, F
    features, n learned windows of a build, D = (its sensors) · T · F values of a row.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import BaseModel
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import LabelledWindows, ModelOutput
from hydrascope.models.blocks.sensor_layout import (
    LaidOut,
    build_of,
    features_laid_out,
    lay_out,
    sensor_graph,
)
from hydrascope.models.detectors.detector import FEWEST, LEAST_SPREAD, Detector, parts_by_level
from hydrascope.models.layers.segment import segment_sum
from hydrascope.schemas.normality import MACHINE, SENSOR
from hydrascope.schemas.task import HeadSpec


class RowScorer(nn.Module, ABC):
    """Scores rows of one build; it has only buffers, whose sizes follow from the fit."""

    @abstractmethod
    def fit(self, rows: Tensor, seed: int) -> None:
        """Fit to the deviations of learned windows from their mean, [n, D] float64."""

    @abstractmethod
    def sizes(self) -> list[int]:
        """Return what `allocate` needs; only zeros before the fit."""

    @abstractmethod
    def allocate(self, *sizes: int) -> None:
        """Allocate the buffers, for a state of these sizes."""

    @abstractmethod
    def forward(self, rows: Tensor) -> Tensor:
        """Return deviations whose squares add up to a squared score, [G, D], or scores, [G, 1]."""


class RowDetector(Detector):
    """Base class of detectors that fit a scorer to the rows of each build.

    A row holds the normalised features of all sensors at all steps. Unobserved values are set to
    their mean over the learned windows.

    A scorer turns rows into deviations. The square of a machine's score is the sum of their squares
    per observed step, averaged over the features. A component and a sensor have the squares of
    their own values. The squares of each sensor and feature are divided between the level, the mean
    over the steps, and the changes around it; they add up to the same sum.
    """

    center: Tensor
    """The mean over the learned windows, [builds, P, T, F]."""
    known: Tensor
    """Whether any learned window has the step, [builds, P, T]."""
    varies: Tensor
    """Whether any of its features varies there, [builds, P, T]."""

    def __init__(self, config: BaseModel, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__(config, spec, heads)
        self.sensors = [len(slots) for slots in spec.builds.values()]
        shape = len(self.sensors), self.places, spec.steps
        center = torch.zeros(*shape, len(spec.feature_names), dtype=torch.float64)
        self.register_buffer("center", center)
        self.register_buffer("known", torch.zeros(shape, dtype=torch.bool))
        self.register_buffer("varies", torch.zeros(shape, dtype=torch.bool))
        self.builds = nn.ModuleList(self.make_scorer(config) for _ in self.sensors)

    @property
    def _scorers(self) -> list[RowScorer]:
        return [scorer for scorer in self.builds if isinstance(scorer, RowScorer)]

    @abstractmethod
    def make_scorer(self, config: Any) -> RowScorer:
        """Return the scorer of one build, not fitted, with the options `config`."""

    def record(self) -> dict[str, Any]:
        """Return the sizes of the buffers of each build."""
        return super().record() | {"sizes": [scorer.sizes() for scorer in self._scorers]}

    def prepare(self, record: Mapping[str, Any]) -> None:
        """Allocate the buffers."""
        super().prepare(record)
        for scorer, sizes in zip(self._scorers, record["sizes"], strict=True):
            scorer.allocate(*sizes)

    @torch.no_grad()
    def fit(self, windows: LabelledWindows, seed: int) -> dict[str, str]:
        """Fit each build to its windows; see `models.base`.

        Raises:
            SpecError: No build has `FEWEST` windows.
        """
        self.known.zero_()
        for build, learned in self._read(windows).items():
            if len(learned.features) >= FEWEST:
                self._fit_build(build, learned, seed)
        self._check_fit(self.known, self.varies, len(windows))
        return {}

    def _fit_build(self, build: int, learned: LaidOut, seed: int) -> None:
        count = learned.observed.sum(0)
        mean = learned.features.sum(0) / count.clamp(min=1).unsqueeze(-1)
        self.center[build, : len(mean)] = mean
        self.known[build, : len(mean)] = count > 0
        rows = torch.where(learned.observed.unsqueeze(-1), learned.features - mean, 0.0)
        variance = rows.square().sum(0) / count.clamp(min=1).unsqueeze(-1)
        self.varies[build, : len(mean)] = (variance > LEAST_SPREAD**2).any(-1)
        self._scorers[build].fit(rows.flatten(1), seed)

    def _read(self, windows: LabelledWindows) -> dict[int, LaidOut]:
        """Return the windows of each build, by its number, cut to the places of that build."""
        parts: dict[int, list[LaidOut]] = {}
        for inputs, _ in windows.parts():
            build = int(self.slot_build[inputs.sensor_slot].max())  # of one machine, so of one
            found = features_laid_out(
                inputs, inputs.sensor_observed, self._row(inputs), self.places
            )
            own = slice(self.sensors[build])
            parts.setdefault(build, []).append(LaidOut(*(each[:, own] for each in found)))
        return {
            build: LaidOut(*map(torch.cat, zip(*own, strict=True))) for build, own in parts.items()
        }

    def forward(self, inputs: GraphInputs) -> ModelOutput:
        """Return the parts of each level's scores, [.., 3]; see `normality.scored_windows`."""
        slot, graphs = inputs.sensor_slot, inputs.graph_id.shape[0]
        build, place = self.slot_build[slot], self.slot_place[slot]
        seen = inputs.sensor_observed & self.known[build, place]
        deviation = inputs.sensor_features.double() - self.center[build, place]
        rows = lay_out(
            torch.where(seen.unsqueeze(-1), deviation, 0.0), self._row(inputs), graphs, self.places
        )
        deviations = self._deviations(rows, build_of(inputs, self.slot_build))
        counted = (seen & self.varies[build, place]).sum(1)
        parts = self._parts(inputs, deviations, seen.sum(1), counted)
        return ModelOutput({}, parts=parts, shares=parts[SENSOR] if self.by_value else None)

    def _deviations(self, rows: Tensor, build: Tensor) -> Tensor:
        """Return those of rows [G, P, T, F] by place, [G, P, T · F], or of machines, [G, 1, 1].

        Args:
            rows: The deviations from the mean.
            build: The build of each graph, [G].
        """
        total = torch.zeros_like(rows).flatten(2) if self.by_value else rows.new_zeros(1, 1, 1)
        for number, scorer in enumerate(self._scorers):
            if any(scorer.sizes()):
                count = self.sensors[number]
                own = scorer(rows[:, :count].flatten(1))
                if self.by_value:
                    own = torch.unflatten(own, 1, (count, -1))
                    own = F.pad(own, (0, 0, 0, self.places - count))
                else:
                    own = own.unsqueeze(1)
                total = torch.where((build == number).view(-1, 1, 1), own, total)
        return total

    def _parts(
        self, inputs: GraphInputs, deviations: Tensor, steps: Tensor, counted: Tensor
    ) -> dict[str, Tensor]:
        """Return the parts by level.

        Args:
            inputs: The normalised inputs.
            deviations: Of `_deviations`.
            steps: The sensors' observed steps, [S].
            counted: Those in which they vary, [S].
        """
        dtype = inputs.sensor_features.dtype
        if self.by_value:
            of_steps = torch.unflatten(deviations, -1, inputs.sensor_features.shape[1:])
            level = of_steps.mean(2, keepdim=True)
            parts = (of_steps - level).square(), level.square().expand_as(of_steps)
            of_places = torch.stack([each.sum(2).mean(-1).flatten() for each in parts], dim=-1)
            squares = of_places[self._row(inputs)]
            own, joint = (
                torch.cat((squares, each.unsqueeze(-1)), dim=-1).to(dtype)
                for each in (steps, counted)
            )
            return parts_by_level(inputs, own, joint)
        graphs = inputs.graph_id.shape[0]
        scored = (segment_sum(steps, sensor_graph(inputs), graphs) > 0).to(dtype)
        square = deviations.flatten().square().to(dtype)
        none = torch.zeros_like(steps, dtype=dtype).unsqueeze(1).expand(-1, 3)
        levels = parts_by_level(inputs, none, none)
        return levels | {MACHINE: torch.stack((square, torch.zeros_like(scored), scored), dim=-1)}
