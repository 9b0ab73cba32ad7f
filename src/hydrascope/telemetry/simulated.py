"""Own machines, simulated, as a source of telemetry."""

from typing import Any

from hydrascope.telemetry.fleet import FleetSource


class SimulatedSource(FleetSource):
    """Simulated machines of own machine files, with their faults.

    Args:
        machines: A machine file, or a folder of builds, see `FleetSettings.files`.
        duty: The duty file of a machine file; None: `duty.yaml` beside it.
        settings: As the other attributes of `FleetSettings`.

    Raises:
        SpecError: A file is wrong, a machine cannot work, or nothing would be recorded.
    """

    def __init__(self, machines: str, duty: str | None = None, **settings: Any) -> None:
        super().__init__(kinds=(), files=machines, duty=duty, **settings)
