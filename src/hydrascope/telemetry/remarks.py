"""Problems of telemetry that a source can read nevertheless."""

from typing import Protocol, runtime_checkable

from hydrascope.telemetry.source import TelemetrySource


@runtime_checkable
class Remarking(Protocol):
    """A source that has examined all of its telemetry."""

    def remarks(self) -> list[str]:
        """Return the problems that harm a training, one line each."""
        ...


def remarks(source: TelemetrySource) -> list[str]:
    """Return a source's remarks, or an empty list if it does not examine its telemetry."""
    return source.remarks() if isinstance(source, Remarking) else []
