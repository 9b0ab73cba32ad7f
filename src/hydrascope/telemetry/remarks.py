"""What a source knows to be amiss with its telemetry, though it can be read."""

from typing import Protocol, runtime_checkable

from hydrascope.telemetry.source import TelemetrySource


@runtime_checkable
class Remarking(Protocol):
    """A source that has looked at all of its telemetry."""

    def remarks(self) -> list[str]:
        """Return what harms a training, a line each."""
        ...


def remarks(source: TelemetrySource) -> list[str]:
    """Return a source's remarks; none of a source that makes none."""
    return source.remarks() if isinstance(source, Remarking) else []
