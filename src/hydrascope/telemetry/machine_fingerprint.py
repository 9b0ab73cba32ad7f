"""Fingerprints of single machines, so that a change to one machine does not affect the others."""

from typing import Protocol, runtime_checkable

from hydrascope.telemetry.source import TelemetrySource


@runtime_checkable
class MachineFingerprints(Protocol):
    """A source with a fingerprint for each machine."""

    def machine_fingerprint(self, equipment_id: str) -> str:
        """Return a hash of all telemetry of one machine."""
        ...


def machine_fingerprint(source: TelemetrySource, equipment_id: str) -> str:
    """Return the hash of one machine's telemetry, or of the whole source if it has no such hash."""
    if isinstance(source, MachineFingerprints):
        return source.machine_fingerprint(equipment_id)
    return source.fingerprint
