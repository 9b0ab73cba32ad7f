"""Commands on this computer."""

from hydrascope.experiment.launcher.command import Command, end


class LocalJob:
    """A process of this computer."""

    def __init__(self, command: Command) -> None:
        self._process = command.begin()

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def end(self) -> None:
        """End all its processes, and wait for it."""
        end(self._process)


class LocalLauncher:
    """Starts commands at once."""

    def start(self, command: Command) -> LocalJob:
        """Start a command."""
        return LocalJob(command)

    def close(self) -> None:
        """Nothing is held."""
