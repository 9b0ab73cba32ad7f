"""A command in a session of its own, so that all its processes end together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_POLL_S = 0.2


def _environment() -> dict[str, str]:
    # A user's own classes are found where this process finds them.
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@dataclass(frozen=True)
class Command:
    """What is run, here or on another computer that has the same files.

    Attributes:
        arguments: Program and arguments.
        log: File that takes what it prints.
        folder: Working directory.
        environment: Variables beside those of the process that starts it.
    """

    arguments: tuple[str, ...]
    log: Path
    folder: Path = field(default_factory=Path.cwd)
    environment: Mapping[str, str] = field(default_factory=_environment)

    def begin(self) -> "subprocess.Popen[bytes]":
        """Start it; its standard input closes when this process is gone, however that ended."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.arguments,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=os.environ | self.environment,
                start_new_session=True,
            )

    def run(self) -> int:
        """Run it to its end and return its exit code; if this is interrupted, it ends too."""
        process = self.begin()
        try:
            # Ray interrupts a task by a flag, which a wait without an end would not see.
            while (code := process.poll()) is None:
                time.sleep(_POLL_S)
            return code
        finally:
            end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a command's processes at once, and wait for it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()
