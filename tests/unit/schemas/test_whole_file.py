"""A file is whole or absent under its name, also where there is no room for it."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hydrascope.schemas.whole_file import NO_ROOM, no_room, whole_file, write_whole

ROOM = 1000


@contextmanager
def little_room() -> Iterator[None]:
    """Let this process write files of `ROOM` bytes at most, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_gets_its_name_with_all_its_content(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.json", "äöü" * 100)
    assert (tmp_path / "a.json").read_text("utf-8") == "äöü" * 100
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_where_there_is_no_room_the_file_of_before_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_whole(file, "before")
    with little_room(), pytest.raises(OSError, match="too large") as error:
        write_whole(file, "x" * 2 * ROOM)
    assert error.value.errno in NO_ROOM
    assert no_room(error.value).startswith(f"{file}: cannot be written (File too large); make room")
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
    assert file.read_text() == "before"


def test_a_fault_while_it_is_written_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with whole_file(tmp_path / "a.csv") as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("below", ["", "results"])
def test_a_folder_where_a_file_is_can_be_remedied_by_writing_elsewhere(
    below: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("before")
    with pytest.raises(OSError, match=r"exists|directory") as error:
        (file / below).mkdir(parents=True, exist_ok=True)
    assert error.value.errno in NO_ROOM
    assert no_room(error.value).startswith(f"{file / below}: cannot be written (")
