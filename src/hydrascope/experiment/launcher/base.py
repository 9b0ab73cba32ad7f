"""The one interface of all launchers, and the loop that keeps them busy."""

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
"""Package that a launcher needs; the extra that installs it has the launcher's name."""


class Job(Protocol):
    """A command that has been started."""

    @property
    def exit_code(self) -> int | None:
        """None while it waits or runs."""

    def end(self) -> None:
        """End it, if it has not ended."""


class Launcher(Protocol):
    """Starts commands."""

    def start(self, command: Command) -> Job:
        """Start a command, or let it wait for its place; returns at once."""

    def close(self) -> None:
        """Let go of what was held for commands."""


@contextmanager
def open_launcher(settings: LauncherSettings, folder: Path) -> Iterator[Launcher]:
    """Yield the launcher that is asked for, and close it.

    Args:
        settings: Which one.
        folder: For its own files, on all computers that it starts commands on.

    Raises:
        SpecError: What it needs is not here.
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
    """Have the processes that are started meanwhile heed SIGINT, by which Ray and submitit end one.

    A shell has the commands that it puts into the background ignore it, and all their children.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Started(Protocol):
    def end(self) -> None: ...


StartedT = TypeVar("StartedT", bound=_Started)


def keep_busy(jobs: Iterator[StartedT], settled: Callable[[StartedT], bool], parallel: int) -> None:
    """Run jobs to their ends, at most `parallel` at a time.

    Args:
        jobs: Starts the next one when it is asked for it.
        settled: Whether one has ended; asked of each that runs, twice a second.
        parallel: How many at a time.
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
