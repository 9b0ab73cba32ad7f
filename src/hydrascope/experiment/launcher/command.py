"""A command in its own session, so that all its processes end together."""

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
    # So that the command finds the user's own classes where this process finds them.
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@dataclass(frozen=True)
class Command:
    """`python -m MODULE …`, here or on another computer with the same files.

    Attributes:
        module: The module to run.
        arguments: Its arguments.
        log: File for the command's output.
        imports: A module that imports what the command takes long to import. This computer may then
            fork the command from a process that has imported it. None: the command must not be
            forked, such as one that uses a GPU.
        folder: Working directory.
        environment: Variables in addition to those of the process that starts it.
    """

    module: str
    arguments: tuple[str, ...]
    log: Path
    imports: str | None = None
    folder: Path = field(default_factory=Path.cwd)
    environment: Mapping[str, str] = field(default_factory=_environment)

    def begin(self) -> "subprocess.Popen[bytes]":
        """Start the command; its standard input closes when this process ends for any reason."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                (sys.executable, "-m", self.module, *self.arguments),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=os.environ | self.environment,
                start_new_session=True,
            )

    def run(self) -> int:
        """Run the command and return its exit code; an interruption ends the command too."""
        process = self.begin()
        try:
            # Ray interrupts a task with a flag, which a wait without a timeout would not see.
            while (code := process.poll()) is None:
                time.sleep(_POLL_S)
            return code
        finally:
            end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a command's processes and wait for it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()
