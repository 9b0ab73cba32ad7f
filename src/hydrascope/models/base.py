"""The interface that a model needs to be trained, evaluated, exported and served.

There are two kinds: networks, which are trained by gradient descent, and models that are fitted in
closed form.
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
from hydrascope.models.config import References
from hydrascope.models.layers.arma import ARMAOutput
from hydrascope.schemas.task import HeadSpec


class ModelOutput(NamedTuple):
    """The output of a model for a batch."""

    heads: dict[str, Tensor]
    """Head name → raw output, [G, size] at machine level or [N, size] at component level."""
    arma: ARMAOutput | None = None
    """The next-step forecast of each component's state, for the forecasting loss; None without
    one."""
    parts: dict[str, Tensor] | None = None
    """The parts of the scores of normality by level, from a detector; None from other models."""
    shares: Tensor | None = None
    """The parts of the sensors' scores by which components are blamed, [S, 3]; None if scores have
    no shares of single sensors."""


class Model(nn.Module, ABC):
    """Base class of all models; `model._target_` names a subclass of one of the two kinds.

    Attributes:
        Config: The keys of `conf/model/<name>.yaml` except `_target_` and `name`, with their
            ranges.
        answered: The heads in `ModelOutput.heads`.
        of_any_build: Whether the model has no weights or statistics of single sensors. Such a model
            accepts machines of builds that are not in the training data, and never reads
            `GraphInputs.sensor_slot`.
        references: How the model reads the machine's reference windows. With `beside` it reads the
            features too, so that it also works without references. With `alone` it reads nothing
            else. With `none` it ignores them.
    """

    Config: ClassVar[type[BaseModel]]
    answered: tuple[HeadSpec, ...]
    of_any_build: bool = False
    references: References = "none"

    @abstractmethod
    def __init__(self, config: BaseModel, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        """Create an untrained model.

        Args:
            config: The configuration, validated by `Config`.
            spec: The description of the inputs.
            heads: The heads of the task.
        """
        super().__init__()
        self.answered = tuple(heads)

    @abstractmethod
    def forward(self, inputs: GraphInputs) -> ModelOutput:
        """Return the output for a batch of normalised features."""


class GroupedInputs(NamedTuple):
    """A batch of training windows and the condition that each was recorded under."""

    inputs: GraphInputs
    """The normalised inputs."""
    group: Tensor
    """The number of each window's condition, [G] int64; -1 if unknown. Numbers have no gaps over
    all windows."""


class Network(Model):
    """Base class of models that are trained by gradient descent. They answer all heads."""

    def fit_inputs(self, windows: Callable[[], Iterable[GroupedInputs]]) -> None:
        """Fit the scaling of the inputs before the training; does nothing by default.

        Args:
            windows: Starts a new pass over the training windows at each call.
        """


class Question(NamedTuple):
    """A head that a closed-form model answers."""

    head: str
    size: int
    """The number of answers. A discriminant counts classes, 2 for a binary head; a linear model
    counts labels, 1 for a binary head."""
    classes: tuple[int, ...]
    """The classes that occur in the training data, ascending; for labels, all of them."""


class LabelledWindows(Protocol):
    """The windows that a closed-form model is fitted to, numbered from 0."""

    def __len__(self) -> int:
        """Return the number of windows, W."""

    def targets(self, head: HeadSpec) -> Tensor:
        """Return a head's targets, [W, N, L] or [W, 1, L]; requires machines of one build."""

    def parts(
        self, numbers: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[GraphInputs, Mapping[str, Tensor]]]:
        """Yield normalised inputs and targets of windows in order, in batches of one machine.

        Args:
            numbers: The numbers of the windows to yield, ascending; None for all.
        """


class ClosedFormModel(Model):
    """Base class of models that are fitted in one go, without epochs or gradients.

    Such a model may answer only some heads of the task. After the fit, `answered` holds these.

    Attributes:
        questions: The questions of the answered heads, in the order of the heads.
    """

    questions: tuple[Question, ...]

    def __init__(self, config: BaseModel, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__(config, spec, heads)
        self.asked = tuple(heads)
        self.ask(())

    def ask(self, questions: Sequence[Question]) -> None:
        """Set the questions that the model answers from now on."""
        self.questions = tuple(questions)
        names = {question.head for question in questions}
        self.answered = tuple(head for head in self.asked if head.name in names)

    @abstractmethod
    def fit(self, windows: LabelledWindows, seed: int) -> dict[str, str]:
        """Fit the model; the result depends only on the windows and the seed.

        Returns:
            Name of each unanswered head → the reason.
        """

    def record(self) -> dict[str, Any]:
        """Return what a checkpoint must hold besides the state, as plain data."""
        return {
            "questions": [[each.head, each.size, list(each.classes)] for each in self.questions]
        }

    def prepare(self, record: Mapping[str, Any]) -> None:
        """Prepare the model to load the state that belongs to `record`."""
        self.ask([Question(head, size, tuple(seen)) for head, size, seen in record["questions"]])
