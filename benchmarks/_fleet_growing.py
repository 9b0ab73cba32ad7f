"""Simulated machines in which one fault grows, the faults in turn."""

import hashlib
from dataclasses import dataclass, replace

from hydrascope.simulation.faults import Fault
from hydrascope.simulation.fleet import Member
from hydrascope.simulation.trajectory import Course, FaultCourse
from hydrascope.telemetry.fleet import FleetSource


@dataclass(frozen=True)
class Growing(FleetSource):
    """Machines with one fault each, which grows evenly from hour 0 to failure at `growth_h`.

    Machines of a kind take turns in the fault, then in the component that has it. They are recorded
    for `life_h`, which may end before the failure.

    Attributes:
        growth_h: Hours from sound to failure.
    """

    growth_h: float = 500.0

    def machine_fingerprint(self, equipment_id: str) -> str:
        """Return a hash of all that determines one machine's telemetry."""
        content = f"{super().machine_fingerprint(equipment_id)} growing {self.growth_h:g}"
        return hashlib.sha256(content.encode()).hexdigest()

    def member(self, equipment_id: str) -> Member:
        """Return a machine with its fault."""
        sound = super().member(equipment_id)
        faults = [fault for fault in Fault if fault in sound.build.faults]
        turn, place = sound.seed[-1] % len(faults), sound.seed[-1] // len(faults)
        places = sound.build.faults[faults[turn]]
        course = FaultCourse(
            faults[turn], places[place % len(places)], Course.LINEAR, 0.0, self.growth_h
        )
        return replace(sound, courses=(course,))
