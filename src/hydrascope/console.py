"""Printing that cannot fail; imports nothing of ours, so that `--help` needs nothing else."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper


class _Printed(TextIOWrapper):
    """Forgets what it cannot write: nobody reads any more, or the disk of a log is full."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            return self._forget(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            self._forget()

    def _forget(self, text: str = "") -> int:
        """Send this and all that follows to nowhere, so that Python's end does not fail either."""
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
        return len(text)


def print_anything() -> None:
    """Make printing safe, here and in child processes.

    Characters that the console cannot show are printed as `?`. Text that cannot be written, because
    the reader has gone or there is no console, is dropped.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before the start
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif type(stream) is TextIOWrapper:
            buffering, encoding = stream.line_buffering, stream.encoding
            printed = _Printed(
                stream.detach(), encoding, errors="replace", line_buffering=buffering
            )
            setattr(sys, name, printed)
            setattr(sys, f"__{name}__", printed)  # the stream of before can no longer be used
    if isinstance(sys.stdout, TextIOWrapper):
        os.environ["PYTHONIOENCODING"] = f"{sys.stdout.encoding}:replace"
