"""The base class of all detectors, which score sensors, components and machines.

Shapes: G graphs, S sensors in the batch, N components, P places of the largest build.
"""

from abc import abstractmethod
from collections.abc import Sequence

from pydantic import BaseModel
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import ClosedFormModel, ModelOutput
from hydrascope.models.blocks.sensor_layout import build_places, rows_of, sensor_graph
from hydrascope.models.layers.segment import segment_sum
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import COMPONENT, MACHINE, SENSOR
from hydrascope.schemas.task import HeadSpec, TaskSpec

FEWEST = 2
"""The fewest windows of a build that a detector learns from."""
LEAST_SPREAD = 1e-6
"""The standard deviation of a normalised feature up to which it counts as constant."""


class Detector(ClosedFormModel):
    """Base class of models that score normality and answer no heads.

    Each build has a fit of its own. A sensor or build that no learned window shows has no score.
    A sensor that never varied adds what it moves to the score of its machine. It does not count
    among the observed values, so that nothing changes where it is missing.

    Args:
        config: The options of the fit.
        spec: The description of the inputs.
        heads: The heads that it answers; there must be none.

    Attributes:
        by_value: Whether scores sum over the values of a window. Otherwise only machines have one,
            without a level.

    Raises:
        SpecError: There are heads.
    """

    by_value: bool = True
    slot_build: Tensor
    slot_place: Tensor

    def __init__(self, config: BaseModel, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__(config, spec, heads)
        self._check_heads(heads)
        build, place, self.places = build_places(spec)
        self.register_buffer("slot_build", build, persistent=False)
        self.register_buffer("slot_place", place, persistent=False)

    @classmethod
    def check_task(cls, task: TaskSpec) -> None:
        """Refuse a task with heads, and one that weighs levels which the scores do not have.

        Raises:
            SpecError: Names the key and what is accepted.
        """
        cls._check_heads(task.heads)
        if task.normality is not None and task.normality.level_share != 1.0 and not cls.by_value:
            raise SpecError(
                f"task.normality.level_share: {task.normality.level_share:g} is not accepted; the "
                f"scores of {cls.__name__} have no level; accepted with it: 1.0"
            )

    @classmethod
    def _check_heads(cls, heads: Sequence[HeadSpec]) -> None:
        if heads:
            raise SpecError(
                f"model: {cls.__name__} scores normality and answers no heads, but the task has "
                f"{', '.join(head.name for head in heads)}; accepted with it: a task without "
                "heads, such as task=normality"
            )

    @abstractmethod
    def forward(self, inputs: GraphInputs) -> ModelOutput:
        """Return the parts of each level's scores, [.., 3]; see `normality.scored_windows`."""

    def _check_fit(self, known: Tensor, varies: Tensor, windows: int) -> None:
        """Check that a fit has learned something.

        Raises:
            SpecError: No build has `FEWEST` windows, or no sensor varies in any.
        """
        if not bool(known.any()):
            raise SpecError(
                f"task.normality: {type(self).__name__} learns from {FEWEST} or more windows of a "
                f"build, but the training has {windows} that are healthy"
            )
        if not bool((known & varies).any()):
            raise SpecError(
                f"task.normality: no sensor varies in the {windows} windows to learn from, so that "
                f"{type(self).__name__} has nothing to compare others with"
            )

    def _row(self, inputs: GraphInputs) -> Tensor:
        """Return the row of each sensor among the places of all graphs, [S] int64."""
        return rows_of(inputs, self.slot_place[inputs.sensor_slot], self.places)


def parts_by_level(inputs: GraphInputs, own: Tensor, joint: Tensor) -> dict[str, Tensor]:
    """Return the parts of each level's scores, [.., 3].

    Args:
        inputs: The normalised inputs.
        own: The parts of the sensors' own scores, [S, 3].
        joint: What each sensor adds to its component and its machine, [S, 3].
    """
    graphs, components = inputs.graph_id.shape[0], inputs.component_kind.shape[0]
    return {
        MACHINE: segment_sum(joint, sensor_graph(inputs), graphs),
        COMPONENT: segment_sum(joint, inputs.sensor_component, components),
        SENSOR: own,
    }
