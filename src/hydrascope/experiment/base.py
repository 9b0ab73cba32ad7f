"""The base classes and field types of all settings."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from hydrascope.schemas.base import CheckedModel
from hydrascope.schemas.errors import IMPORT_PATH

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]


def _expand_home(path: str) -> str:
    """Expand a leading `~`; the shell does so only at the start of an argument."""
    return str(Path(path).expanduser()) if path.startswith("~") else path


UserPath = Annotated[str, AfterValidator(_expand_home)]
"""A path of a file or folder, which may begin with `~`."""


class Settings(CheckedModel, populate_by_name=True, defer_build=True):
    """Base of all settings: unknown keys are errors, and values cannot change afterwards."""


class Target(Settings, extra="allow"):
    """A class that the user chooses: `_target_` names it, all other keys are its arguments."""

    target: str = Field(alias="_target_", pattern=IMPORT_PATH)
