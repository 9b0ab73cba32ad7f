"""Running commands on this computer."""

import multiprocessing
import os
import runpy
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

from hydrascope.experiment.launcher.command import Command, end


class StartedJob:
    """A process that has been started anew."""

    def __init__(self, command: Command) -> None:
        self._process = command.begin()

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the command runs."""
        return self._process.poll()

    def end(self) -> None:
        """Kill all its processes and wait for it."""
        end(self._process)


class ForkedJob:
    """A process forked from one that has imported the command's modules, which takes seconds."""

    def __init__(self, command: Command, context: ForkServerContext) -> None:
        reading, self._stdin = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(command, reading, dict(os.environ)))
        self._process.start()
        reading.close()

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the command runs."""
        return self._process.exitcode

    def end(self) -> None:
        """Kill all its processes and wait for it."""
        if self.exit_code is None:
            assert self._process.pid is not None
            with suppress(ProcessLookupError):  # it has no session yet
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
        self._process.join()
        self._stdin.close()


class LocalLauncher:
    """Starts commands immediately."""

    def __init__(self) -> None:
        methods = multiprocessing.get_all_start_methods()
        self._context = (
            multiprocessing.get_context("forkserver") if "forkserver" in methods else None
        )

    def start(self, command: Command) -> StartedJob | ForkedJob:
        """Start a command."""
        if command.imports is None or self._context is None:
            return StartedJob(command)
        self._context.set_forkserver_preload([command.imports])
        return ForkedJob(command, self._context)

    def close(self) -> None:
        """Do nothing: the process with the imports ends with this one."""


def _run(command: Command, stdin: Connection, environment: dict[str, str]) -> None:
    """Become the command, as `Command.begin` would start it."""
    os.setsid()
    os.chdir(command.folder)
    os.environ.clear()
    os.environ.update({**environment, **command.environment})
    multiprocessing.set_start_method(None, force=True)  # not "forkserver" below this process
    log = os.open(command.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for source, target in ((stdin.fileno(), 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    stdin.close()
    os.close(log)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (as long as the process)
    sys.path.insert(0, str(command.folder))  # as `python -m` does
    sys.argv = [command.module, *command.arguments]
    runpy.run_module(command.module, run_name="__main__", alter_sys=True)
