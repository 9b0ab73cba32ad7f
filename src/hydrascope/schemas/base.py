"""The base classes and the field types of all specifications."""

from functools import update_wrapper
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from hydrascope.schemas.errors import IDENTIFIER, WORD, SpecError, explain


class CheckedModel(BaseModel):
    """A frozen model that refuses unknown keys, with one line for each fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            kind = type(self)
            raise SpecError(*explain(error, kind, whole=""), source=kind.__name__) from None

    # This also copies the mark by which pydantic knows its own constructor. Nested models are
    # therefore validated without a call of this one, and their faults keep their paths.
    update_wrapper(__init__, BaseModel.__init__)


class Spec(CheckedModel):
    """A frozen description that refuses unknown keys, infinities and NaN."""

    model_config = ConfigDict(allow_inf_nan=False, defer_build=True)


Identifier = Annotated[str, Field(max_length=128, pattern=IDENTIFIER)]
"""A name in a machine: without dots, which separate a component from its label, and short enough
for the name of a file."""

Word = Annotated[str, Field(pattern=WORD)]
"""A kind or position, such as `relief_valve` or `inlet`."""


def _without_null(text: str) -> str:
    if "\0" in text:
        raise ValueError("has the character U+0000, which a database cannot keep")
    return text


AnyText = Annotated[str, AfterValidator(_without_null)]
"""A text that a database can keep; it may be empty."""
Text = Annotated[AnyText, Field(min_length=1)]

Texts = Annotated[
    tuple[Text, ...],
    Field(min_length=1),
    BeforeValidator(lambda given: given if isinstance(given, (list, tuple)) else (given,)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
            ]
        }
    ),
]
"""One text or several; one needs no brackets."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("expected an IANA time zone, as in UTC or Europe/Berlin") from None
    return name


COUNTER = "counter"
"""In place of a time zone: times are whole numbers, such as load cycles; one is read as 1 s."""


def _zone_or_counter(name: str) -> str:
    return name if name == COUNTER else _known_zone(name)


ZoneOrCounter = Annotated[str, AfterValidator(_zone_or_counter)]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
"""A name in the IANA time zone database."""

# Numbers are strict: pydantic would otherwise read `true` as 1 and "12" as 12.
Number = Annotated[float, Field(strict=True)]
Positive = Annotated[float, Field(strict=True, gt=0)]
Flag = Annotated[bool, Field(strict=True)]
