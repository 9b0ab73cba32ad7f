"""Running commands on this computer."""

from hydrascope.experiment.launcher.command import Command, end


class LocalJob:
    """A process on this computer."""

    def __init__(self, command: Command) -> None:
        self._process = command.begin()

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the command runs."""
        return self._process.poll()

    def end(self) -> None:
        """Kill all its processes and wait for it."""
        end(self._process)


class LocalLauncher:
    """Starts commands immediately."""

    def start(self, command: Command) -> LocalJob:
        """Start a command."""
        return LocalJob(command)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
