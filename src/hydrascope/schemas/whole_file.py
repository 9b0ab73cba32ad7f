"""Files that are whole or absent under their final name, whatever happens while one is written."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES})
"""Why a file cannot be written, where a user can help it."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a place beside `path` to write to; what is there in the end gets its name at once.

    What stood under the name stays until then, and if anything fails.

    Raises:
        OSError: It cannot be written; names `path`.
    """
    writer = f"{os.getpid()}-{threading.get_ident()}"  # threads of a service write at once, too
    part = path.with_name(f".{path.stem}.{writer}.part{path.suffix}")
    try:
        with names(path):
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())  # some file systems say only then that they are full
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def names(path: Path) -> Iterator[None]:
    """Have an `OSError` from inside name `path`, as that of a full disk does not by itself."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def write_whole(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Raises:
        OSError: It cannot be written; names `path`.
    """
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def no_room(error: OSError) -> str:
    """Say in one line what could not be written, and what to do."""
    place = f"{error.filename}: " if error.filename else ""
    return (
        f"{place}cannot be written ({error.strerror}); make room, or write elsewhere; what stood "
        "there before is as it was"
    )
