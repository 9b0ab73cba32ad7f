"""What a machine's telemetry is known by, so that a change to one machine is no change to all."""

from typing import Protocol, runtime_checkable

from hydrascope.telemetry.source import TelemetrySource


@runtime_checkable
class MachineFingerprints(Protocol):
    """A source that can tell its machines' content apart."""

    def machine_fingerprint(self, equipment_id: str) -> str:
        """Hash of all telemetry of one machine."""
        ...


def machine_fingerprint(source: TelemetrySource, equipment_id: str) -> str:
    """Return the hash of one machine's telemetry, or of all the source's where it has none."""
    if isinstance(source, MachineFingerprints):
        return source.machine_fingerprint(equipment_id)
    return source.fingerprint
