"""The branch that reads all sensors of a machine as one row."""

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import GroupedInputs
from hydrascope.models.blocks.machine_rows import MachineRows
from hydrascope.models.blocks.own_sensors import OwnSensors
from hydrascope.models.blocks.role_answers import RoleAnswers
from hydrascope.models.blocks.role_rows import RoleRows
from hydrascope.models.blocks.row_answers import RowAnswers
from hydrascope.models.config import NetworkConfig
from hydrascope.schemas.task import HeadSpec


class RowReader(nn.Module):
    """Answers heads from the normalised features of a batch.

    Args:
        rows: The module that arranges the rows.
        answers: The module that answers from them.
        own: What single sensors of known builds add; None: nothing.
    """

    def __init__(
        self,
        rows: MachineRows | RoleRows,
        answers: RowAnswers | RoleAnswers,
        own: OwnSensors | None = None,
    ) -> None:
        super().__init__()
        self.rows, self.answers, self.own = rows, answers, own

    def fit(self, windows: Callable[[], Iterable[GroupedInputs]]) -> None:
        """Fit the whitening of the rows, before the training."""
        self.rows.fit(windows)

    def forward(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return the raw output of each head, [N, size] or [G, size]."""
        answers: dict[str, Tensor] = self.answers(inputs, self.rows(inputs))
        if self.own is None:
            return answers
        own = self.own(inputs)
        return {n: each + own[n] if n in own else each for n, each in answers.items()}


def make_row_reader(
    config: NetworkConfig, spec: InputSpec, heads: Sequence[HeadSpec]
) -> RowReader | None:
    """Return the row reader of a configuration; None without `row_channels`.

    By build it consists of `MachineRows` and `RowAnswers`, for known builds. By role it consists of
    `RoleRows` and `RoleAnswers`, for any build; `row_own` adds `OwnSensors` of known builds.
    """
    channels, layers = config.row_channels, config.row_layers
    if not channels:
        return None
    if config.row_by == "role":
        by_role = RoleRows(spec, levels=config.row_levels, noise=config.input_noise)
        answers_by_role = RoleAnswers(heads, by_role, channels, layers, config.row_lines)
        own = OwnSensors(heads, spec) if config.row_own else None
        return RowReader(by_role, answers_by_role, own)
    rows = MachineRows(
        spec,
        features=config.row_features,
        per_step=config.step_identity,
        references=config.references != "none",
        noise=config.input_noise,
    )
    builds, width = len(spec.builds), rows.width
    answers = RowAnswers(heads, builds, width, channels, layers, spec.most_components)
    return RowReader(rows, answers)
