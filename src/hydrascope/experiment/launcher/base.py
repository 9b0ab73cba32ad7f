"""The interface of all launchers, and the loop that keeps them busy."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

from hydrascope.experiment.launcher.command import Command
from hydrascope.experiment.launcher.launcher_settings import (
    LauncherSettings,
    LocalSettings,
    RaySettings,
    SlurmSettings,
)
from hydrascope.schemas.errors import SpecError

_POLL_S = 0.5
_NEEDS = {"ray": "ray", "slurm": "submitit"}
"""Launcher → the package that it needs; the extra that installs it has the launcher's name."""


class Job(Protocol):
    """A command that has been started."""

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the command waits or runs."""

    def end(self) -> None:
        """End the command, if it has not ended."""


class Launcher(Protocol):
    """Starts commands."""

    def start(self, command: Command) -> Job:
        """Start or queue a command; returns immediately."""

    def close(self) -> None:
        """Release the launcher's resources."""


@contextmanager
def open_launcher(settings: LauncherSettings, folder: Path) -> Iterator[Launcher]:
    """Yield the configured launcher, and close it afterwards.

    Args:
        settings: The launcher's settings.
        folder: Folder for its own files, shared by all computers that run commands.

    Raises:
        SpecError: Something that the launcher needs is missing.
    """
    with _interruptible(), closing(_launcher(settings, folder)) as launcher:
        yield launcher


def _launcher(settings: LauncherSettings, folder: Path) -> Launcher:
    needed = _NEEDS.get(settings.kind)
    if needed and find_spec(needed) is None:
        raise SpecError(
            f"launcher: {settings.kind!r} needs {needed}; pip install 'hydrascope[{settings.kind}]'"
        )
    match settings:
        case LocalSettings():
            from hydrascope.experiment.launcher.local import LocalLauncher

            return LocalLauncher()
        case RaySettings():
            from hydrascope.experiment.launcher.ray import RayLauncher

            return RayLauncher(settings)
        case SlurmSettings():
            from hydrascope.experiment.launcher.slurm import SlurmLauncher

            return SlurmLauncher(settings, folder / "slurm")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM interrupt this process, so that a sweep ends its trials and its run.

    Processes that are started meanwhile handle SIGINT too, with which Ray and submitit end them.
    Shells make background commands, and so their children, ignore it.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Started(Protocol):
    def end(self) -> None: ...


StartedT = TypeVar("StartedT", bound=_Started)


def keep_busy(jobs: Iterator[StartedT], settled: Callable[[StartedT], bool], parallel: int) -> None:
    """Run all jobs until they end, at most `parallel` at a time.

    Args:
        jobs: An iterator that starts the next job when it is advanced.
        settled: Returns whether a job has ended; called twice a second for each running job.
        parallel: The most jobs that run at a time.
    """
    running: list[StartedT] = []
    try:
        while True:
            running += islice(jobs, parallel - len(running))
            if not running:
                return
            time.sleep(_POLL_S)
            running = [each for each in running if not settled(each)]
    finally:
        for each in running:
            each.end()
