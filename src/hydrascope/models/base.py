"""What a model must offer to be trained, evaluated, exported and served.

There are two kinds: networks, which are trained by gradients, and models that are fitted in closed
form.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.blocks.sensor_forecast import SensorResidual
from hydrascope.models.config import References
from hydrascope.models.layers.arma import ARMAOutput
from hydrascope.schemas.task import HeadSpec


class ModelOutput(NamedTuple):
    """What a model says of a batch."""

    heads: dict[str, Tensor]
    """A head's name → [G, size] (machine level) or [N, size] (component level), not decoded."""
    arma: ARMAOutput | None = None
    """Next-step forecast of each component's state, for the forecasting loss, if there is one."""
    states: Tensor | None = None
    """[N, T, C]; what is known of each component after each step, causal; `normality` needs it."""
    residual: SensorResidual | None = None
    """What the forecast of `normality` missed; the diagnoser fills it in."""


class Model(nn.Module, ABC):
    """Base of all models; `model._target_` in a config names a subclass of one of its kinds.

    Attributes:
        Config: Keys of `conf/model/<name>.yaml` beside `_target_` and `name`, with their ranges.
        answered: The heads of `ModelOutput.heads`.
        of_any_build: Whether it has no weights or statistics of single sensors: then it reads
            machines of builds that training has not shown, and never `GraphInputs.sensor_slot`.
        references: Whether it reads the machine's reference windows: `beside` the features, so
            that it answers without them too, or `alone`, so that without them it sees nothing.
    """

    Config: ClassVar[type[BaseModel]]
    answered: tuple[HeadSpec, ...]
    of_any_build: bool = False
    references: References = "none"

    @abstractmethod
    def __init__(self, config: BaseModel, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        """Make one that has learned nothing, for inputs as `spec` describes them.

        Args:
            config: As validated by `Config`.
            spec: Of the inputs.
            heads: What is asked for: the heads of the task.
        """
        super().__init__()
        self.answered = tuple(heads)

    @abstractmethod
    def forward(self, inputs: GraphInputs) -> ModelOutput:
        """Answer a batch whose features are normalised."""


class GroupedInputs(NamedTuple):
    """Some training windows, and the condition that each was recorded under."""

    inputs: GraphInputs
    """Normalised."""
    group: Tensor
    """[G] int64, without gaps over all windows; -1 where it is not known."""


class Network(Model):
    """Base of all networks: weights that gradients train. It answers all heads.

    Attributes:
        state_channels: C of `ModelOutput.states`; None where there are none.
    """

    state_channels: int | None = None

    def fit_inputs(self, windows: Callable[[], Iterable[GroupedInputs]]) -> None:
        """Fit, before any gradient, what brings the inputs to a scale; by default nothing.

        Args:
            windows: Begins a pass over the training windows each time it is called.
        """


class Question(NamedTuple):
    """A head that a model of closed form answers."""

    head: str
    size: int
    """How many answers it has: classes, 2 of a binary head; labels, 1 of a binary head."""
    classes: tuple[int, ...]
    """Those that training shows, ascending; of labels all."""


class LabelledWindows(Protocol):
    """Windows, numbered from 0, that a model is fitted to."""

    def __len__(self) -> int:
        """Return how many there are, W."""

    def targets(self, head: HeadSpec) -> Tensor:
        """Return a head's targets, [W, N, L] or [W, 1, L], where all machines are of one build."""

    def parts(
        self, numbers: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[GraphInputs, Mapping[str, Tensor]]]:
        """Yield normalised inputs and targets of some windows of one machine at a time, in order.

        Args:
            numbers: Which, ascending; None: all.
        """


class ClosedFormModel(Model):
    """Base of the models that are fitted at once, without epochs and gradients.

    It may answer fewer heads than it is asked for: `answered` holds them once it is fitted.

    Attributes:
        questions: Of the heads that it answers, in their order.
    """

    questions: tuple[Question, ...]

    def __init__(self, config: BaseModel, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__(config, spec, heads)
        self.asked = tuple(heads)
        self.ask(())

    def ask(self, questions: Sequence[Question]) -> None:
        """Answer these from now on, and nothing else."""
        self.questions = tuple(questions)
        names = {question.head for question in questions}
        self.answered = tuple(head for head in self.asked if head.name in names)

    @abstractmethod
    def fit(self, windows: LabelledWindows, seed: int) -> dict[str, str]:
        """Fit it; the result is a function of the windows and the seed.

        Returns:
            Every head that it does not answer → why.
        """

    def record(self) -> dict[str, Any]:
        """Return, as plain data, what a checkpoint needs beside the state."""
        return {
            "questions": [[each.head, each.size, list(each.classes)] for each in self.questions]
        }

    def prepare(self, record: Mapping[str, Any]) -> None:
        """Make ready for the state of the model that `record` was taken from."""
        self.ask([Question(head, size, tuple(shown)) for head, size, shown in record["questions"]])
