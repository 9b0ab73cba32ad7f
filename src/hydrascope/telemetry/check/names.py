"""Sensors that files call by other names than the machine file does."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence

from hydrascope.schemas import SensorSpec
from hydrascope.schemas.units import same_quantity, spelt

_OWN_UNIT = re.compile(r"[\[(]\s*([^\])]+?)\s*[\])]\s*$")
"""A unit at the end of a column's name, as in `p_out [psi]`."""


def alike(absent: Sequence[str], unlisted: Sequence[str]) -> dict[str, str]:
    """Return what the files may call sensors that were never recorded, each name once."""
    found: dict[str, str] = {}
    for match in (_same, _within, _near):
        for sensor in absent:
            left = [name for name in unlisted if name not in found.values()]
            if sensor not in found and (names := [name for name in left if match(sensor, name)]):
                found[sensor] = names[0]
    return {sensor: found[sensor] for sensor in absent if sensor in found}


def _same(sensor: str, name: str) -> bool:
    """Whether a name is a sensor's id but for its case, spaces around it and a unit behind it."""
    return _OWN_UNIT.sub("", name).strip().casefold() == sensor.casefold()


def _within(sensor: str, name: str) -> bool:
    """Whether a name holds a sensor's id as a word."""
    whole = rf"(?<![^\W_]){re.escape(sensor)}(?![^\W_])"
    return re.search(whole, name, re.IGNORECASE) is not None


def _near(sensor: str, name: str) -> bool:
    return bool(difflib.get_close_matches(sensor, [name]))


def other_unit(name: str, spec: SensorSpec) -> str | None:
    """Return the unit that a name ends with, if it is another one than the machine file's."""
    found = _OWN_UNIT.search(name)
    unit = spelt(found[1]) if found else spec.unit
    return unit if unit != spec.unit and unit in same_quantity(spec.unit) else None


def remedy(renamed: Mapping[str, str], specs: Mapping[str, SensorSpec]) -> str:
    """Say how the files' own names are read, and in which units where these stand in the names."""
    if not renamed:
        return ""
    names = ", ".join(
        f"{sensor}: {json.dumps(name, ensure_ascii=False)}" for sensor, name in renamed.items()
    )
    said = f"; or keep the names, with aliases: {{{names}}} under equipment in the machine file"
    units = {sensor: other_unit(name, specs[sensor]) for sensor, name in renamed.items()}
    others = ", ".join(f"{sensor}: {unit}" for sensor, unit in units.items() if unit)
    return said + (f", and the units {{{others}}} in the setting units" if others else "")
