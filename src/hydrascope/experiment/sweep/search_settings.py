"""The settings of a search; imports nothing heavy."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hydrascope.experiment.base import Count, Settings
from hydrascope.schemas.errors import validate

Number = int | float
Option = str | int | float | bool | None


class Tried(Settings):
    """The values to try for a key: numbers from `low` to `high`, or a few `choices`."""

    low: Number | None = None
    high: Number | None = None
    """The upper bound, included like `low`. If both are whole, only whole numbers are tried."""
    log: bool = False
    """Whether values are spread evenly in the logarithm."""
    choices: tuple[Option, ...] | None = None
    """The values, or options of a group."""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if self.choices:
            fits = self.low is None and self.high is None and not self.log
        elif self.low is None or self.high is None:
            fits = False
        else:
            fits = self.low < self.high and not (self.log and self.low <= 0)
        if not fits:
            raise ValueError(
                "expected {choices}, or {low, high[, log]}, low < high, with log 0 < low"
            )
        return self


class PruningSettings(Settings):
    """When to stop a trial that is worse than the median of the others at the same epoch."""

    startup_trials: Annotated[int, Field(ge=0)]
    warmup_epochs: Annotated[int, Field(ge=0)]


class SearchSettings(Settings):
    """All settings of the group `sweep`."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
    folder: str
    trials: Count
    objectives: Annotated[
        dict[Annotated[str, Field(pattern=r"^val/")], Literal["minimize", "maximize"]],
        Field(min_length=1),
    ]
    space: dict[str, Tried | None]
    random_trials: Count
    pruning: PruningSettings | None
    seed: Annotated[int, Field(ge=0, lt=2**32)]

    @model_validator(mode="after")
    def _can_be_searched(self) -> Self:
        if not any(self.space.values()):
            raise ValueError("space: nothing is searched; expected at least one key")
        if self.pruning and len(self.objectives) > 1:
            raise ValueError("pruning: expected null if there are several objectives")
        return self


class _WithSweep(Settings):
    sweep: SearchSettings


def take_sweep(config: object) -> SearchSettings | None:
    """Remove the group `sweep` from a composed configuration, and return it checked.

    Raises:
        SpecError: Names every wrong key, its value and what is accepted.
    """
    sweep = config.pop("sweep", None) if isinstance(config, dict) else None
    return (
        None if sweep is None else validate(_WithSweep, {"sweep": sweep}, source="train.py").sweep
    )
