"""The settings of a simulated fleet. Nothing is compiled here, so that `--help` is fast."""

from collections.abc import Sequence
from dataclasses import dataclass

KINDS = ("excavator", "injection_moulding", "machining_centre", "robot")


@dataclass(frozen=True)
class FleetSettings:
    """A small fleet by default; `conf/data/fleet.yaml` is one to train on.

    Attributes:
        machines_per_kind: The number of machines of each kind.
        kinds: The kinds, some of `KINDS`; unused if `files` or `circuits` is given.
        files: A machine file, or a folder with a folder for each kind, which holds
            `machine.yaml` and `duty.yaml`; None: the kinds in the package.
        duty: The duty file of a machine file; None: `duty.yaml` beside it.
        circuits: The number of circuits that are drawn at random in place of kinds; None: no
            circuit is drawn.
        hours: The recorded hours of each machine.
        recording_min: The length of a recording in minutes.
        life_h: The operating hours over which the recordings are spread.
        fault_rate: The expected number of faults of each machine in that time.
        seed: The seed of everything random.
        commissioning: The number of recordings of each machine before all faults, beside `hours`.
        run_to_failure: Whether each machine starts as new, is not repaired, and is recorded until
            its first component fails. Recordings are then as far apart as `hours` in `life_h` would
            be. Machines that last longer have more of them.
    """

    machines_per_kind: int = 2
    kinds: Sequence[str] = KINDS
    files: str | None = None
    duty: str | None = None
    circuits: int | None = None
    hours: float = 1.0
    recording_min: float = 4.0
    life_h: float = 2_000.0
    fault_rate: float = 2.5
    seed: int = 0
    commissioning: int = 0
    run_to_failure: bool = False
