"""The machine files that come with a telemetry folder."""

from collections.abc import Mapping
from pathlib import Path

from hydrascope.schemas import Machine, SpecError
from hydrascope.schemas.machine_file import RecordedIds, machines_in
from hydrascope.telemetry.folder.discovery import MACHINES


def find_files(pattern: str, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files that match a path, folder or glob pattern, sorted by name."""
    path = Path(pattern)
    if path.is_dir():
        found = list(path.iterdir())
    elif path.is_file():
        found = [path]
    else:
        found = list(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
    return sorted(each for each in found if each.suffix.lower() in suffixes and each.is_file())


def read_machines(
    folder: Path, pattern: str | None, recorded: RecordedIds | None = None
) -> dict[str, Machine]:
    """Read the machines by equipment id.

    Args:
        folder: Folder of the telemetry.
        pattern: File, folder or glob of machine files; None: `machines/` inside `folder`.
        recorded: The ids in the telemetry, for files of several machines; None: not known.

    Raises:
        SpecError: There is no machine file, one is invalid, or two describe one machine.
    """
    place = pattern if pattern is not None else str(folder / MACHINES)
    files = find_files(place, (".yaml", ".yml"))
    if not files:
        raise SpecError(
            f"{place}: no machine file; expected <equipment id>.yaml for each machine, or "
            "one file with equipment_ids"
        )
    machines: dict[str, Machine] = {}
    origin: dict[str, Path] = {}
    for file in files:
        for machine in machines_in(file, recorded):
            equipment_id = machine.equipment.equipment_id
            if equipment_id in machines:
                raise SpecError(
                    f"{file}: equipment_id {equipment_id!r} is that of {origin[equipment_id]} too; "
                    "expected one machine file for each machine"
                )
            machines[equipment_id], origin[equipment_id] = machine, file
    return machines


def check_units(machines: Mapping[str, Machine], units: Mapping[str, str]) -> None:
    """Refuse units of unknown sensors.

    Raises:
        SpecError: No machine has the sensor; the message lists those that exist.
    """
    known = sorted({s.id for m in machines.values() for _, s in m.topology.sensors})
    for sensor_id in units:
        if sensor_id not in known:
            raise SpecError(
                f"units.{sensor_id}: no machine has such a sensor; accepted: {', '.join(known)}"
            )
