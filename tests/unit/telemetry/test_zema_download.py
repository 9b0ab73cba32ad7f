"""What is wrong with a copy of the original download, said with file, line and value."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hydrascope.schemas import SpecError
from hydrascope.telemetry import ZemaSource, zema_download

NATIVE = Path(__file__).parents[2] / "data" / "zema_native"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(NATIVE, tmp_path / "copy"))


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{line}\n" for line in change(lines)))


def replaced(line: int, old: str, new: str) -> Callable[[list[str]], list[str]]:
    """Change the first `old` in a line, counted from 1."""

    def change(lines: list[str]) -> list[str]:
        assert old in lines[line - 1]
        return [*lines[: line - 1], lines[line - 1].replace(old, new, 1), *lines[line:]]

    return change


def refusal(folder: Path, *, verify: bool = True) -> str:
    with pytest.raises(SpecError) as error:
        ZemaSource(folder, verify=verify)
    return str(error.value).removeprefix(f"{folder}: ")


def test_missing_files_are_named_together(copy: Path) -> None:
    (copy / "PS3.txt").unlink()
    (copy / "profile.txt").unlink()
    message = "2 errors\n  PS3.txt: no such file\n  profile.txt: no such file"
    assert refusal(copy) == message


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "TS1.txt",
            replaced(4, "\t", " "),
            "TS1.txt:4: 59 values; expected 60, separated by tabs",
        ),
        (
            "FS1.txt",
            replaced(2, "\t", "\t1.0\t"),
            "FS1.txt:2: 601 values; expected 600, separated by tabs",
        ),
        ("CE.txt", replaced(3, "\t", "\toops"), "CE.txt:3: value 2 is 'oops"),
        ("CE.txt", replaced(10, "\t", "\t\u00b5"), "CE.txt:10: value 2 is '"),
        ("VS1.txt", lambda lines: ["\t" * 59, *lines[1:]], "VS1.txt:1: value 1 is ''; expected"),
        ("CP.txt", lambda lines: [*lines[:5], "", *lines[5:]], "CP.txt:6: 1 values; expected 60"),
        ("CP.txt", lambda lines: ["\t".join(["1"] * 59 + ["1e99"]), *lines[1:]], "CP.txt:1: value"),
        ("SE.txt", lambda lines: [], "SE.txt: empty; expected one line a cycle"),
        ("SE.txt", lambda lines: lines[:9], "SE.txt: 9 lines; expected 10 as in most files"),
        (
            "profile.txt",
            replaced(3, "20", "50"),
            "profile.txt:3: cooler is 50; expected 3, 20, 100",
        ),
    ],
)
def test_a_malformed_file_is_refused_with_its_line_and_value(
    copy: Path, file: str, change: Callable[[list[str]], list[str]], message: str
) -> None:
    edit(copy / file, change)
    assert refusal(copy).startswith(message)


def test_faults_in_several_files_are_reported_together(copy: Path) -> None:
    edit(copy / "TS1.txt", replaced(1, "\t", " "))
    edit(copy / "TS2.txt", replaced(2, "\t", "\tx"))
    first, second = refusal(copy).splitlines()[1:]
    assert first.startswith("  TS1.txt:1: ")
    assert second.startswith("  TS2.txt:2: ")


def test_a_missing_value_may_be_written_as_nan(copy: Path) -> None:
    edit(copy / "CE.txt", lambda lines: ["\t".join(["nan"] * 60), *lines[1:]])
    source = ZemaSource(copy)
    (extent,) = source.extents("zema")
    values = source.read("zema", extent)["CE"].values
    assert [bool(value != value) for value in values[[0, 59, 60]]] == [True, True, False]


def test_line_ends_of_another_system_do_not_matter(copy: Path) -> None:
    for path in copy.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert ZemaSource(copy).labels("zema").equals(ZemaSource(NATIVE).labels("zema"))


@pytest.mark.parametrize(
    ("content", "sha1"),
    [  # from `git hash-object`
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
    ],
)
def test_files_are_hashed_as_git_does(content: bytes, sha1: str) -> None:
    assert zema_download._git_blob_sha1(content) == sha1


def test_a_whole_set_with_another_content_than_the_original_is_refused_unless_told_otherwise(
    copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Ten lines stand for the whole set: its files would be 500 MB.
    monkeypatch.setattr(zema_download, "SET_CYCLES", 10)
    assert refusal(copy).startswith("18 errors\n")

    hashes = {f.stem: zema_download._git_blob_sha1(f.read_bytes()) for f in NATIVE.iterdir()}
    (tmp_path / "original_file_git_sha1.json").write_text(json.dumps(hashes))
    monkeypatch.setattr(zema_download, "ASSETS", tmp_path)
    ZemaSource(copy)

    edit(copy / "PS2.txt", replaced(7, "0", "1"))
    found = zema_download._git_blob_sha1((copy / "PS2.txt").read_bytes())
    assert refusal(copy) == (
        f"PS2.txt: not the original file (git hash-object {found}; expected {hashes['PS2']}); "
        "download it again, or pass verify=False"
    )
    ZemaSource(copy, verify=False)
