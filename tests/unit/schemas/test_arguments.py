"""Arguments that annotations exclude are refused; all others arrive as they were given."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from pydantic import Field

from hydrascope.schemas import SpecError, TimeWindow
from hydrascope.schemas.arguments import PathOrText, checked, checked_fields

Given = tuple[object, ...]


class Reader:
    """Has a method with arguments of every sort."""

    @classmethod
    @checked
    def read(
        cls,
        source: PathOrText,
        *names: str,
        window: TimeWindow | None = None,
        stride_s: float = 1.0,
        keys: Mapping[str, object] | None = None,
        sizes: Sequence[int] = (),
        **more: object,
    ) -> Given:
        """Return what was given."""
        return source, names, window, stride_s, keys, sizes, more


@checked_fields
@dataclass(frozen=True)
class Batches:
    """How many."""

    size: Annotated[int, Field(ge=1)]
    folder: Path = Path()


def test_what_is_accepted_arrives_unchanged() -> None:
    moment = datetime(2024, 5, 1, tzinfo=UTC)
    window = TimeWindow(start=moment, end=moment.replace(hour=1))
    given = Reader.read("models:/rig@a", "a", "b", window=window, keys={"a": window}, more=Reader)
    assert given == ("models:/rig@a", ("a", "b"), window, 1.0, {"a": window}, (), {"more": Reader})
    assert given[2] is window
    assert Reader.read(Path("rig"), stride_s=np.float32(0.5))[3] == 0.5


def test_every_wrong_argument_is_named() -> None:
    with pytest.raises(SpecError) as refused:
        Reader.read(5, "a", None, stride_s="x", keys=[1], sizes="12")  # type: ignore[arg-type]
    assert str(refused.value).splitlines() == [
        "Reader.read: 5 errors",
        "  source: 5 is not accepted; expected a path, as text or as pathlib.Path",
        "  names[1]: None is not accepted; expected a valid string",
        "  stride_s: 'x' is not accepted; expected a valid number",
        "  keys: [1] is not accepted; expected a valid dictionary",
        "  sizes: '12' is not accepted; expected a list, as in ['12']",
    ]


def test_missing_and_unknown_arguments_are_pythons_own_errors() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'source'"):
        Reader.read()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'colour'"):
        Batches(1, colour="red")  # type: ignore[call-arg]


def test_fields_of_a_dataclass_are_checked_in_copies_too() -> None:
    assert Batches(3, "a") == Batches(3, Path("a"))  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"^Batches: size: 0 is not accepted; expected greater"):
        replace(Batches(3), size=0)


def test_an_address_is_repeated_without_its_password() -> None:
    address = f"postgresql://me:{'secret' * 20}@db:5432/plant"
    with pytest.raises(SpecError) as refused:
        Batches(address)  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)
    assert "postgresql://…@db:5432/plant" in str(refused.value)


def test_the_signature_stays() -> None:
    assert [*inspect.signature(Batches).parameters] == ["size", "folder"]
    assert Reader.read.__doc__ == "Return what was given."
