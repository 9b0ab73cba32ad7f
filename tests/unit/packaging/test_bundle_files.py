"""What is no bundle is refused in one line that names what was given."""

import zipfile
from pathlib import Path

import pytest

from hydrascope.packaging.archive import unpack
from hydrascope.packaging.files import read_manifest
from hydrascope.schemas.errors import SpecError


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"'{}' holds no manifest\.json"),
        ({"manifest.json": '{"a":'}, r"manifest\.json of '{}':1:6: not JSON"),
        ({"manifest.json": "[" * 100_000}, r"manifest\.json of '{}': JSON that cannot be read"),
        (
            {"manifest.json": '{"schema_version": 99}'},
            r"'{}' is of schema version 99, accepted: \d+; update Hydrascope",
        ),
        ({"archive/data.pkl": ""}, r"{} is a checkpoint; expected a bundle, as export\.py writes"),
        ({"../manifest.json": ""}, r"{} holds '\.\./manifest\.json'; expected files"),
    ],
)
def test_an_archive_that_is_no_bundle_is_named_itself(
    files: dict[str, str], message: str, tmp_path: Path
) -> None:
    archive = tmp_path / "b.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files.items():
            file.writestr(zipfile.ZipInfo(name), content)
    with pytest.raises(SpecError, match="^bundle: " + message.format(archive)) as error:
        read_manifest(archive)
    assert "\n" not in str(error.value)


def test_an_archive_that_is_damaged_anywhere_is_one_line_or_unpacked(tmp_path: Path) -> None:
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as file:
        file.writestr(zipfile.ZipInfo("manifest.json"), b"x" * 20)
    content, refused = whole.read_bytes(), []
    for place in range(len(content)):
        for changed in (content[:place], content[:place] + b"\xff" + content[place + 1 :]):
            (tmp_path / "damaged.zip").write_bytes(changed)
            folder = tmp_path / f"{place}_{len(changed)}"
            folder.mkdir()
            try:
                unpack(tmp_path / "damaged.zip", folder)
            except SpecError as error:
                refused.append(str(error))
    assert len(refused) > len(content)
    assert not any("\n" in each for each in refused)
