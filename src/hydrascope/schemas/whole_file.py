"""Atomic writing of files."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NO_ROOM = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EACCES,
        errno.EEXIST,
        errno.ENOTDIR,
    }
)
"""The reasons for a failed write that a user can remedy."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, which replaces `path` atomically at the end.

    If anything fails, `path` does not change.

    Raises:
        OSError: The file cannot be written; the error names `path`.
    """
    writer = f"{os.getpid()}-{threading.get_ident()}"  # threads of a service write concurrently
    part = path.with_name(f".{path.stem}.{writer}.part{path.suffix}")
    try:
        with names(path):
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())  # some file systems report only then that they are full
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def names(path: Path) -> Iterator[None]:
    """Add `path` to an `OSError` raised inside, since that of a full disk names no file."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def write_whole(path: Path, text: str) -> None:
    """Write a text file atomically.

    Raises:
        OSError: The file cannot be written; the error names `path`.
    """
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def no_room(error: OSError) -> str:
    """Return one line that names the file that could not be written and the remedy."""
    place = error.filename or f"a file below {Path.cwd()}"
    return (
        f"{place}: cannot be written ({error.strerror}); make room, or write elsewhere; what stood "
        "there before is as it was"
    )
