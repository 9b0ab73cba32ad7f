"""Reads the first line of a text file and checks the encoding."""

import codecs
from pathlib import Path

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.text import not_utf8

_LONGEST_BYTES = 2**22
"""The most bytes read for a first line."""

_MARKS = (  # those of four bytes begin with those of two
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)

_BINARY = (
    (b"\x1f\x8b", "compressed by gzip; unpack it"),
    (b"PK\x03\x04", "an archive (zip) or a spreadsheet; unpack it, or save it as CSV"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it"),
    (b"BZh", "compressed by bzip2; unpack it"),
    (b"\xfd7zXZ", "compressed by xz; unpack it"),
    (b"PAR1", "Parquet; let its name end in .parquet"),
)
"""What binary files begin with."""


def first_line(path: Path) -> bytes:
    """Return the first line of a UTF-8 file, with its line ending.

    Raises:
        SpecError: The file is empty, has another encoding, or its lines do not end with LF.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.readline(_LONGEST_BYTES)
    for mark, name in _MARKS:
        if head.startswith(mark):
            raise SpecError(
                f"{path}: encoded in {name}; expected UTF-8: iconv -f {name} -t UTF-8 FILE > NEW"
            )
    for mark, name in _BINARY:
        if head.startswith(mark):
            raise SpecError(f"{path}: no text, but {name}")
    if b"\0" in head:
        raise SpecError(f"{path}: not text, or encoded in UTF-16 or UTF-32; expected UTF-8")
    try:
        head.decode()
    except UnicodeDecodeError:
        raise SpecError(f"{path}:1: {not_utf8(head)}") from None
    if b"\r" in head.rstrip(b"\r\n"):
        raise SpecError(
            f"{path}: lines end with CR alone; expected LF or CR LF: tr '\\r' '\\n' < FILE > NEW"
        )
    if not head.strip():
        raise SpecError(f"{path}: empty; expected a first line that names the columns")
    return head
