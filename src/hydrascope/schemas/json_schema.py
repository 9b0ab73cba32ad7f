"""JSON Schema of user files, with which editors complete, explain and check them."""

import ast
import inspect
from textwrap import dedent

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema

from hydrascope.schemas.base import Spec
from hydrascope.schemas.duty import DutyCycle
from hydrascope.schemas.machine import MachineFile
from hydrascope.schemas.task import TaskSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"

FILE_MODELS: dict[str, type[BaseModel]] = {
    "machine": MachineFile,
    "task": TaskSpec,
    "duty": DutyCycle,
}
"""The model of each kind of file."""


class _Explained(GenerateJsonSchema):
    """Adds the docstring of each key.

    pydantic can do the same when it creates a class, but then every command would start 20 ms
    later.
    """

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        """Return the schema of one model with descriptions of its keys."""
        made = super().model_schema(schema)
        for base in reversed(schema["cls"].__mro__):
            if issubclass(base, Spec) and base is not Spec:
                for key, meaning in meanings(base).items():
                    made["properties"][key]["description"] = meaning
        return made


def json_schema(file: str) -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of a kind of file, a key of `FILE_MODELS`.

    Raises:
        ValueError: There is no such kind of file.
    """
    if file not in FILE_MODELS:
        raise ValueError(f"no schema for {file!r}; there are: {', '.join(FILE_MODELS)}")
    schema = FILE_MODELS[file].model_json_schema(schema_generator=_Explained)
    return {"$schema": DIALECT, **schema}


def meanings(of: type) -> dict[str, str]:
    """Return the docstring of each key of a model or member of an enumeration, as one line."""
    (definition,) = ast.parse(dedent(inspect.getsource(of))).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for statement, below in zip(definition.body, definition.body[1:], strict=False):
        match statement, below:
            case (
                ast.AnnAssign(target=ast.Name(id=key)) | ast.Assign(targets=[ast.Name(id=key)]),
                ast.Expr(value=ast.Constant(value=str(meaning))),
            ):
                found[key] = " ".join(meaning.split())
    return found
