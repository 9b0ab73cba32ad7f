"""The machines that a machine file describes: one, or several of one build."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.machine import EquipmentMetadata, Machine, MachineGroup
from hydrascope.schemas.yaml_file import load_yaml

RecordedIds = Callable[[], Iterable[str]]
"""Returns the ids of the machines in the telemetry."""

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_LONGEST_RANGE = 100_000
_SHOWN = 5


def read_machine_file(path: Path) -> Machine | MachineGroup:
    """Read a machine file of one machine or of several.

    Raises:
        SpecError: The file is invalid; the message has one line for each fault.
    """
    data = load_yaml(path)
    equipment = data.get("equipment") if isinstance(data, Mapping) else None
    if isinstance(equipment, Mapping) and "equipment_ids" in equipment:
        return validate(MachineGroup, data, source=str(path))
    return validate(Machine, data, source=str(path))


def machines_in(path: Path, recorded: RecordedIds | None = None) -> list[Machine]:
    """Return the machines of a file, which share its topology.

    Args:
        path: A machine file.
        recorded: The ids in the telemetry, for patterns; None: there is no telemetry to match.

    Raises:
        SpecError: The file is invalid, or a pattern matches no machine.
    """
    content = read_machine_file(path)
    if isinstance(content, Machine):
        return [content]
    group, shared = content.equipment, content.equipment.model_dump(exclude={"equipment_ids"})
    ids: dict[str, None] = {}
    for number, pattern in enumerate(group.equipment_ids):
        place = f"equipment.equipment_ids[{number}]"
        try:
            ids.update(dict.fromkeys(_matches(pattern, recorded)))
        except SpecError as error:
            raise SpecError(*error.under(place).faults, source=str(path)) from None
    source = f"{path}: equipment.equipment_ids"
    return [
        Machine(
            schema_version=content.schema_version,
            equipment=validate(
                EquipmentMetadata,
                {**shared, "equipment_id": each, "name": f"{group.name} {each}"},
                source=source,
            ),
            topology=content.topology,
        )
        for each in ids
    ]


def _matches(pattern: str, recorded: RecordedIds | None) -> Iterator[str]:
    for each in _ranges(pattern):
        if not set("*?[") & set(each):
            yield each
            continue
        if recorded is None:
            raise SpecError(
                f"{pattern!r} needs telemetry in files to match; expected ids, or ranges such as "
                "engine_{1..100}"
            )
        known = sorted(recorded())
        found = [name for name in known if fnmatchcase(name, each)]
        if not found:
            listed = ", ".join(known[:_SHOWN]) + (" …" if len(known) > _SHOWN else "")
            raise SpecError(f"{pattern!r} matches no machine in the telemetry; there is: {listed}")
        yield from found


def _ranges(pattern: str) -> Iterator[str]:
    """Yield the texts for which a pattern stands, with each `{1..100}` counted out."""
    found = _RANGE.search(pattern)
    if found is None:
        yield pattern
        return
    first, last = found.groups()
    numbers = range(int(first), int(last) + 1)
    if not 0 < len(numbers) <= _LONGEST_RANGE:
        raise SpecError(
            f"{found[0]} is not accepted; expected {{low..high}} with low <= high and at most "
            f"{_LONGEST_RANGE:,} numbers"
        )
    # As in shells, `{01..12}` keeps its zeros.
    width = max(len(each) for each in (first, last)) if "0" in (first[0], last[0]) else 0
    for number in numbers:
        yield from _ranges(f"{pattern[: found.start()]}{number:0{width}}{pattern[found.end() :]}")
