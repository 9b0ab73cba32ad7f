"""A JSON file that is none is named with its line."""

from pathlib import Path

import pytest

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.json_file import load_json


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1,\n "b": ', r"x\.json:2:7: not JSON \(Expecting value\)"),
        (b"[1]", r"x\.json: holds a list; expected an object"),
        ('{"Größe": 1}'.encode("latin-1"), r"x\.json: byte 0xf6 is not UTF-8"),
        (b"", r"x\.json:1:1: not JSON"),
        (b"[" * 100_000, r"x\.json: JSON that cannot be read \(maximum recursion"),
        (b'{"a": ' + b"9" * 5000 + b"}", r"x\.json: JSON that cannot be read \(Exceeds the limit"),
    ],
)
def test_what_is_no_json_object_is_refused_with_its_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(SpecError, match=message):
        load_json(file)


def test_an_object_is_read_and_an_absent_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    for mark in ("", "\ufeff"):
        file.write_text(mark + '{"a": [1]}', encoding="utf-8")
        assert load_json(file) == {"a": [1]}
    with pytest.raises(SpecError, match=r"y\.json: No such file"):
        load_json(tmp_path / "y.json")
