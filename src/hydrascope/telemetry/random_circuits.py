"""Circuits drawn at random, simulated, as a source of telemetry."""

from typing import Any

from hydrascope.telemetry.fleet import FleetSource


class RandomCircuitSource(FleetSource):
    """Simulated machines of circuits that are drawn at random, with their faults.

    Each circuit is a kind of its own. Which it is depends on the seed and its number alone.

    Args:
        circuits: The number of circuits.
        settings: As the other attributes of `FleetSettings`.

    Raises:
        SpecError: A setting is not accepted.
    """

    def __init__(self, circuits: int, **settings: Any) -> None:
        super().__init__(kinds=(), circuits=circuits, **settings)
