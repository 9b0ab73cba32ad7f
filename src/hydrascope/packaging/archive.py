"""A bundle as one file: a ZIP archive of its folder, stored without compression."""

import zipfile
from pathlib import Path

from hydrascope.schemas.errors import SpecError

SUFFIX = ".zip"
MAX_BYTES = 2 * 2**30
"""The largest total size of an archive's files; larger ones are refused before unpacking."""
_DATE = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, archive: Path) -> None:
    """Write the files of `folder` into `archive`; the same files give the same bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for each in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(each.name, _DATE)
            entry.external_attr = 0o644 << 16
            with each.open("rb") as source, file.open(entry, "w") as target:
                while block := source.read(2**20):
                    target.write(block)


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of `archive` into the existing, empty `folder`.

    Raises:
        SpecError: It is no archive, too large or compressed, or a name is no plain file name.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            entries = file.infolist()
            if any(entry.filename.endswith("/data.pkl") for entry in entries):
                raise SpecError(
                    f"{archive} is a checkpoint; expected a bundle, as export.py writes it",
                    path="bundle",
                )
            for entry in entries:
                if entry.filename != Path(entry.filename).name or "\\" in entry.filename:
                    raise SpecError(
                        f"{archive} holds {entry.filename!r}; expected files", path="bundle"
                    )
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise SpecError(f"{entry.filename} of {archive} is compressed", path="bundle")
            if sum(entry.file_size for entry in entries) > MAX_BYTES:
                raise SpecError(f"{archive} holds more than {MAX_BYTES} bytes", path="bundle")
            file.extractall(folder)
    except SpecError:
        raise
    except Exception as error:  # noqa: BLE001 (zipfile raises many kinds for damaged archives)
        raise SpecError(f"{str(archive)!r} cannot be unpacked ({error})", path="bundle") from None
