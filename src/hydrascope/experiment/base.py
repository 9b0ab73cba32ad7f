"""What all settings are made of."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]


def _of_user(path: str) -> str:
    """Read `~` as the shell would, which does so only where an argument begins with it."""
    return str(Path(path).expanduser()) if path.startswith("~") else path


UserPath = Annotated[str, AfterValidator(_of_user)]
"""A file or folder, which may begin with `~`."""


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, values do not change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


class Target(Settings):
    """A class of the user's choice: `_target_` names it, the other keys are its arguments."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    target: str = Field(alias="_target_", pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")
