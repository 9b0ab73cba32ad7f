"""JSON Schema of the files a user writes, so that editors complete and check them."""

from pydantic import BaseModel

from hydrascope.schemas.machine import Machine
from hydrascope.schemas.task import TaskSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"

FILE_MODELS: dict[str, type[BaseModel]] = {"machine": Machine, "task": TaskSpec}
"""The model of each kind of file."""


def json_schema(file: str) -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of a kind of file, `machine` or `task`.

    Raises:
        ValueError: There is no such kind of file.
    """
    if file not in FILE_MODELS:
        raise ValueError(f"no schema for {file!r}; there are: {', '.join(FILE_MODELS)}")
    return {"$schema": DIALECT, **FILE_MODELS[file].model_json_schema()}
