"""Arguments of the Python interface, checked against their annotations when a call is made."""

from collections.abc import Callable
from functools import cache, wraps
from inspect import Parameter, signature
from pathlib import Path
from types import GenericAlias
from typing import Annotated, ParamSpec, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, PlainValidator, create_model

from hydrascope.schemas.errors import validate

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
KindT = TypeVar("KindT")


def _path(value: object) -> object:
    if not isinstance(value, str | Path):
        raise ValueError("expected a path, as text or as pathlib.Path")
    return value


PathOrText = Annotated[str | Path, PlainValidator(_path)]
"""A path; text that names something else, such as `models:/rig@champion`, stays text."""


def checked(call: Callable[P, ResultT]) -> Callable[P, ResultT]:
    """Have a function or a method refuse arguments that its annotations exclude.

    They are read as pydantic reads a model's fields: a mapping may stand for a specification, text
    for a path. What has no annotation, such as `self`, and `**keys` are left alone. A missing or
    an unknown argument is a `TypeError`, as of any function.

    Returns:
        The function, which raises `SpecError` for the arguments that are wrong: each with its name,
        its value and what is accepted.
    """
    arguments = signature(call)
    name = call.__qualname__.removesuffix(".__init__")

    @cache  # built by the first call: annotations of a module resolve once it is imported
    def model() -> type[BaseModel]:
        hints = get_type_hints(call, include_extras=True)
        fields: dict[str, object] = {}
        for each in arguments.parameters.values():
            if each.name in hints and each.kind is not Parameter.VAR_KEYWORD:
                hint = hints[each.name]
                if each.kind is Parameter.VAR_POSITIONAL:
                    hint = GenericAlias(tuple, (hint, ...))
                fields[each.name] = (hint, None)
        config = ConfigDict(arbitrary_types_allowed=True)
        made: type[BaseModel] = create_model(name, __config__=config, **fields)  # type: ignore[call-overload]
        return made

    @wraps(call)
    def checking(*args: P.args, **keys: P.kwargs) -> ResultT:
        bound = arguments.bind(*args, **keys)
        given = {key: bound.arguments[key] for key in bound.arguments.keys() & model().model_fields}
        read = validate(model(), given, source=name)
        bound.arguments.update((key, getattr(read, key)) for key in given)
        return call(*bound.args, **bound.kwargs)

    return checking


def checked_fields(kind: type[KindT]) -> type[KindT]:
    """Have a dataclass refuse values that the annotations of its fields exclude; see `checked`."""
    kind.__init__ = checked(kind.__init__)  # type: ignore[method-assign]
    return kind
