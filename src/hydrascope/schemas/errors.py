"""What a user wrote is wrong: every fault at once, one line each, with path, value and remedy."""

import difflib
import re
from collections.abc import Iterator, Sequence
from reprlib import Repr
from typing import Annotated, NamedTuple, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

Location = tuple[int | str, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60


class Fault(NamedTuple):
    """One thing that is wrong: where (`edges[3].length_m`; empty: the whole), and the remedy."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class SpecError(ValueError):
    """A file or a value that a user gave is wrong; the message says where, what and the remedy.

    Args:
        faults: At least one: its message, or path and message.
        path: Of those that are a message alone.
        source: The file, folder or command that they are of; begins the message.
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
        """Return the same faults, found in the part at `path` of something larger."""
        faults = [(f"{path}.{name}" if name else path, message) for name, message in self.faults]
        return SpecError(*faults, source=self.source)


class ServiceError(Exception):
    """A part outside this program failed, such as a database; the message says which and why."""


def validate(model: type[ModelT], data: object, source: str | None = None) -> ModelT:
    """Return `data` as an instance of `model`.

    Args:
        model: The pydantic model to build.
        data: Plain mappings, lists and scalars, as YAML or Hydra hand them over.
        source: Where the data came from (a file name), which begins the message; None: the
            model's name.

    Raises:
        SpecError: Naming every fault of `data`, one line each.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SpecError(*explain(error, model), source=source or model.__name__) from None


def explain(error: ValidationError, model: type[BaseModel]) -> Iterator[Fault]:
    """Yield each fault of `error`, which arose from validating `model`."""
    faults = error.errors()
    below = {fault["loc"][:length] for fault in faults for length in range(len(fault["loc"]))}
    for fault in faults:
        if fault["type"] == "too_short" and fault["loc"] in below:
            continue  # pydantic leaves the faulty items out when it counts
        path = dotted(fault["loc"]) or "(whole file)"
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
                yield Fault(path, f"{value} is not accepted; {_accepted(fault)}")


def inconsistency(location: Location, value: object, message: str) -> InitErrorDetails:
    """Return a fault that a model's own check found at `location`, relative to that model.

    Raise a list of them with `refuse`. `message` says what is accepted in place of `value`.
    """
    kind = PydanticCustomError("inconsistent", "{message}", {"message": message})
    return InitErrorDetails(type=kind, loc=location, input=value)


def refuse(
    title: str, inconsistencies: Sequence[InitErrorDetails], cause: ValidationError | None = None
) -> ValidationError:
    """Return the error that carries a model's own `inconsistencies` beside its fields' faults.

    pydantic stops before a model's own checks when a field is wrong; with this, a validator in
    mode "wrap" reports both in one pass.
    """
    faults = [_restated(fault) for fault in cause.errors()] if cause else []
    return ValidationError.from_exception_data(title, [*faults, *inconsistencies])


def dotted(location: Location) -> str:
    """Return `("edges", 3, "length_m")` as `edges[3].length_m`."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")


def closest(word: object, accepted: Sequence[str]) -> str:
    """Return `; did you mean 'x'?` for the accepted word nearest to `word`, else nothing."""
    near = difflib.get_close_matches(str(word), map(str, accepted), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _accepted(fault: ErrorDetails) -> str:
    """Say what is accepted: pydantic's message, and for enumerations the nearest value."""
    message = fault["msg"].removeprefix("Value error, ")
    message = re.sub(r"^Input should be ", "expected ", message)
    if fault["type"] in ("enum", "literal_error"):
        words = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
        message += closest(fault["input"], words)
    return message


def _restated(fault: ErrorDetails) -> InitErrorDetails:
    """Make a reported fault raisable again (pydantic accepts only its own types by name)."""
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
