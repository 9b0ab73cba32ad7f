"""Errors in user input; all faults are reported at once, one line each."""

import difflib
import re
from collections.abc import Iterator, Sequence
from reprlib import Repr
from typing import Annotated, NamedTuple, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

Location = tuple[int | str, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)

IDENTIFIER = r"^[A-Za-z][A-Za-z0-9_-]*$"
WORD = r"^[a-z][a-z0-9_]*$"
IMPORT_PATH = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"
PATTERNS = {
    IDENTIFIER: "a letter, then letters, digits, _ or -",
    WORD: "a small letter, then small letters, digits or _",
    IMPORT_PATH: "an import path, such as package.module.name",
}
"""A description, in words, of the texts that match a pattern."""

MOST_FAULTS = 1000
"""The most faults of one text that are described one by one."""
_PASSWORD = re.compile(r"://[^/@\s]*:[^/\s]*@")
_LINES = re.compile(r"\s*\n\s*")


class _Short(Repr):
    """Writes values in few characters, and addresses without their users and passwords."""

    def repr_str(self, text: str, level: int) -> str:
        return super().repr_str(_PASSWORD.sub("://…@", text), level)


_SHORT = _Short()
_SHORT.maxstring = _SHORT.maxother = 60


class Fault(NamedTuple):
    """A fault: its path (`edges[3].length_m`; empty: the whole) and the message with the remedy."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class SpecError(ValueError):
    """A file or value given by a user is invalid; the message names place, value and remedy.

    Args:
        faults: At least one fault, as a message or as (path, message).
        path: Path of the faults given as a message.
        source: The file, folder or command with the faults, which begins the message.
    """

    def __init__(self, *faults: str | tuple[str, str], path: str = "", source: str = "") -> None:
        super().__init__(*faults)
        self.source = source
        self.faults = tuple(Fault(*((path, f) if isinstance(f, str) else f)) for f in faults)

    def __str__(self) -> str:
        lines = [str(fault) for fault in self.faults]
        if not self.source:
            return "\n".join(lines)
        if len(lines) == 1:
            return f"{self.source}: {lines[0]}"
        return "\n  ".join([f"{self.source}: {len(lines)} errors", *lines])

    def under(self, path: str) -> "SpecError":
        """Return the same faults with `path` as a prefix."""
        faults = [(f"{path}.{name}" if name else path, message) for name, message in self.faults]
        return SpecError(*faults, source=self.source)


class ServiceError(Exception):
    """An external service, such as a database, failed; the message names it and the reason."""


def validate(model: type[ModelT], data: object, source: str | None = None) -> ModelT:
    """Validate `data` and return it as an instance of `model`.

    Args:
        model: The pydantic model to build.
        data: Plain mappings, lists and scalars, as from YAML or Hydra.
        source: Origin of the data (a file name), which begins the message; None: the model's name.

    Raises:
        SpecError: The data are invalid; the message has one line for each fault.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SpecError(*explain(error, model), source=source or model.__name__) from None


def explain(
    error: ValidationError, model: type[BaseModel], whole: str = "(whole file)"
) -> Iterator[Fault]:
    """Yield each fault of `error`, raised by the validation of `model`; `whole` is its own path."""
    if error.error_count() > MOST_FAULTS:  # whose details would take long, and much memory
        yield Fault(whole, f"{error.error_count()} faults, too many to name")
        return
    faults = error.errors()
    below = {fault["loc"][:length] for fault in faults for length in range(len(fault["loc"]))}
    for fault in faults:
        if fault["type"] == "too_short" and fault["loc"] in below:
            continue  # pydantic does not count faulty items
        path = dotted(fault["loc"]) or whole
        match fault["type"]:
            case "missing":
                yield Fault(path, "missing, but required")
            case "extra_forbidden":
                key, accepted = str(fault["loc"][-1]), _keys_at(model, fault["loc"][:-1])
                listed = ", ".join(accepted)
                message = f"unknown key; accepted keys: {listed}{closest(key, accepted)}"
                yield Fault(path, message)
            case _:
                value = _SHORT.repr(fault["input"])
                message = f"{value} is not accepted; {_accepted(fault)}"
                yield Fault(path, _LINES.sub(" ", message))


def inconsistency(location: Location, value: object, message: str) -> InitErrorDetails:
    """Return a fault found by a model's own check at `location`, relative to that model.

    Raise a list of them with `refuse`. `message` names what is accepted in place of `value`.
    """
    kind = PydanticCustomError("inconsistent", "{message}", {"message": message})
    return InitErrorDetails(type=kind, loc=location, input=value)


def refuse(
    title: str, inconsistencies: Sequence[InitErrorDetails], cause: ValidationError | None = None
) -> ValidationError:
    """Return an error with a model's `inconsistencies` and the faults of its fields.

    pydantic skips a model's own checks if a field is invalid; with this, a validator in mode "wrap"
    reports both in one pass.
    """
    faults = [_restated(fault) for fault in cause.errors()] if cause else []
    return ValidationError.from_exception_data(title, [*faults, *inconsistencies])


def dotted(location: Location) -> str:
    """Format a location: `("edges", 3, "length_m")` becomes `edges[3].length_m`."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")


def closest(word: object, accepted: Sequence[str]) -> str:
    """Return `; did you mean 'x'?` with the accepted word closest to `word`, or an empty text."""
    near = difflib.get_close_matches(str(word), map(str, accepted), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _accepted(fault: ErrorDetails) -> str:
    """Return pydantic's message, with the closest value of an enumeration."""
    message = fault["msg"].removeprefix("Value error, ")
    message = re.sub(r"^Input should be ", "expected ", message)
    message = re.sub(r", unable to parse .*", "", message)
    message = re.sub(r"^String should have ", "expected ", message)
    match fault["type"]:
        case "sequence_str":
            message = f"expected a list, as in [{_SHORT.repr(fault['input'])}]"
        case "string_pattern_mismatch":
            pattern = fault["ctx"]["pattern"]
            message = f"expected {PATTERNS.get(pattern, f'text that matches {pattern!r}')}"
        case "path_type":
            message = "expected a path"
        case "is_instance_of" if fault["ctx"]["class"] == "Sequence":
            message = "expected a list"
        case "model_type" | "model_attributes_type":
            message = "expected keys with values, as in `key: value`"
    if fault["type"] in ("string_type", "path_type") and isinstance(fault["input"], (int, float)):
        message += "; put it into quotes"
    if fault["type"] in ("enum", "literal_error"):
        words = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
        message += closest(fault["input"], words)
    return message


def _restated(fault: ErrorDetails) -> InitErrorDetails:
    """Convert a reported fault so that it can be raised again."""
    context = {**fault.get("ctx", {}), "message": fault["msg"]}
    kind = PydanticCustomError(fault["type"], "{message}", context)
    return InitErrorDetails(type=kind, loc=fault["loc"], input=fault["input"])


def _keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys that the model at `location` inside `model` accepts."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            nested = _nested_model(model.model_fields[part].annotation)
            model = nested or model
    return list(model.model_fields)


def _nested_model(annotation: object) -> type[BaseModel] | None:
    """Find the model inside `Model`, `Model | None`, `tuple[Model, ...]`, `dict[str, Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        arguments = arguments[:1]
    return next((found for each in arguments if (found := _nested_model(each))), None)
