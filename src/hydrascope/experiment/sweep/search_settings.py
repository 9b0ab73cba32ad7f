"""What a sweep can be told; imports nothing heavy."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hydrascope.experiment.base import Count, Settings
from hydrascope.schemas.errors import validate

Number = int | float
Option = str | int | float | bool | None


class Tried(Settings):
    """Values of a key: numbers from `low` to `high`, or a few `choices`."""

    low: Number | None = None
    high: Number | None = None
    """Included, as `low` is; only whole numbers are tried where both are whole."""
    log: bool = False
    """Evenly spread in the logarithm."""
    choices: tuple[Option, ...] | None = None
    """Values, or options of a group."""

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
    """When a trial is stopped that is worse than the median of the others at its epoch."""

    startup_trials: Annotated[int, Field(ge=0)]
    warmup_epochs: Annotated[int, Field(ge=0)]


class SearchSettings(Settings):
    """Everything below `sweep`."""

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
            raise ValueError("pruning: expected null where there are several objectives")
        return self


class _WithSweep(Settings):
    sweep: SearchSettings


def take_sweep(config: object) -> SearchSettings | None:
    """Take what is said of a sweep out of a composed configuration, and check it.

    Raises:
        SpecError: Naming every wrong key, its value and what is accepted.
    """
    sweep = config.pop("sweep", None) if isinstance(config, dict) else None
    return (
        None if sweep is None else validate(_WithSweep, {"sweep": sweep}, source="train.py").sweep
    )
