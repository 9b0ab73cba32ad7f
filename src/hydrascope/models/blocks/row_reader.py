"""A machine's sensors as one row: how it is laid out, and what it says."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import GroupedInputs
from hydrascope.models.blocks.machine_rows import MachineRows
from hydrascope.models.blocks.role_answers import RoleAnswers
from hydrascope.models.blocks.role_rows import RoleRows
from hydrascope.models.blocks.row_answers import RowAnswers
from hydrascope.models.config import NetworkConfig
from hydrascope.schemas.task import HeadSpec


class RowReader(nn.Module, ABC):
    """Answers heads from the normalised features of a batch."""

    @abstractmethod
    def fit(self, windows: Callable[[], Iterable[GroupedInputs]]) -> None:
        """Fit what brings the row to a scale, before any gradient."""

    @abstractmethod
    def forward(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return each head's [N, size] or [G, size], not decoded."""


class BuildRowReader(RowReader):
    """`MachineRows` and `RowAnswers`, for known builds.

    Args:
        config: Of the network.
        spec: Of the inputs.
        heads: That are answered.
    """

    def __init__(self, config: NetworkConfig, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__()
        self.rows = MachineRows(
            spec,
            features=config.row_features,
            per_step=config.step_identity,
            references=config.references != "none",
            noise=config.input_noise,
        )
        self.answers = RowAnswers(
            heads,
            len(spec.builds),
            self.rows.width,
            config.row_channels,
            config.row_layers,
            spec.most_components,
        )

    def fit(self, windows: Callable[[], Iterable[GroupedInputs]]) -> None:
        """Fit the whitening of whole rows."""
        self.rows.fit(windows)

    def forward(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return each head's answers."""
        answers: dict[str, Tensor] = self.answers(inputs, *self.rows(inputs))
        return answers


class RoleRowReader(RowReader):
    """`RoleRows` and `RoleAnswers`, for any build.

    Args:
        config: Of the network.
        spec: Of the inputs.
        heads: That are answered.
    """

    def __init__(self, config: NetworkConfig, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__()
        self.rows = RoleRows(spec, noise=config.input_noise)
        self.answers = RoleAnswers(heads, self.rows, config.row_channels, config.row_layers)

    def fit(self, windows: Callable[[], Iterable[GroupedInputs]]) -> None:
        """Fit the whitening of the roles."""
        self.rows.fit(windows)

    def forward(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return each head's answers."""
        answers: dict[str, Tensor] = self.answers(self.rows(inputs), inputs.component_graph)
        return answers


def make_row_reader(
    config: NetworkConfig, spec: InputSpec, heads: Sequence[HeadSpec]
) -> RowReader | None:
    """Return what a configuration asks for; None without `row_channels`."""
    if not config.row_channels:
        return None
    kind = BuildRowReader if config.row_by == "build" else RoleRowReader
    return kind(config, spec, heads)
