"""The text of machine files, with comments where a value was guessed."""

import json
import re
from collections import defaultdict
from collections.abc import Sequence

from hydrascope.schemas.kinds import ComponentType, SensorKind
from hydrascope.telemetry.check.sensor_findings import marks_missing
from hydrascope.telemetry.folder.statistics import Extremes
from hydrascope.telemetry.init.headers import SensorGuess
from hydrascope.telemetry.init.surveyed import Survey

_HUB = "machine"


def machine_files(found: Survey, name: str) -> dict[str, str]:
    """Return a file for each group of machines with the same sensors, by file name."""
    builds: defaultdict[frozenset[str], list[str]] = defaultdict(list)
    for machine, seen in found.machines.items():
        builds[frozenset(seen.periods_s)].append(machine)
    sensors = {each.id: each for each in found.sensors.values()}
    files = {}
    for number, (recorded, machines) in enumerate(builds.items(), 1):
        build = name if len(builds) == 1 else f"{name}_{number}"
        of_build = [sensors[each] for each in sensors if each in recorded]
        periods_s = found.machines[machines[0]].periods_s
        names = _names(machines, build, of_build)
        lines = [_sensor(each, periods_s[each.id], found.extremes[each.id]) for each in of_build]
        files[f"{build}.yaml"] = _machine_file(build, names, of_build, lines)
    return files


def _machine_file(
    build: str, names: Sequence[str], sensors: Sequence[SensorGuess], lines_of: Sequence[str]
) -> str:
    written = {sensor.id: line for sensor, line in zip(sensors, lines_of, strict=True)}
    components: defaultdict[str, list[SensorGuess]] = defaultdict(list)
    for sensor in sensors:
        components[sensor.component or _HUB].append(sensor)
    hub = _HUB if _HUB in components else next(iter(components))
    lines = [
        "# Written by `hydrascope init`. Correct what is marked as guessed; `hydrascope schema",
        "# machine` lists every key, kind and unit.",
        "schema_version: 1",
        "equipment:",
        *names,
        "topology:",
        f"  id: {build}",
    ]
    if hub == _HUB:
        lines.append(f"  component_kinds: [{_HUB}]")
    declared: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for sensor in sensors:
        if sensor.kind not in list(SensorKind):
            declared[sensor.kind][sensor.unit] = None
    if declared:
        lines.append("  # Kinds of sensors that are not built in, with their units.")
        kinds = {kind: list(units) for kind, units in declared.items()}
        lines.append(f"  sensor_kinds: {json.dumps(kinds, ensure_ascii=False)}")
    lines += [
        "  # Guessed from the names of the sensors; sensors without such a name are on",
        "  # one component. Give the real ones, and every part that matters.",
        "  components:",
    ]
    for component, carried in components.items():
        kind = component if component in list(ComponentType) else _HUB
        lines += [f"    - id: {component}", f"      kind: {kind}  # guessed", "      sensors:"]
        lines += [written[each.id] for each in carried]
    others = [each for each in components if each != hub]
    if others:
        lines += [
            "  # Guessed. Give the real lines; those with sizes have them as features.",
            "  edges:",
        ]
        lines += [f"    - {{source: {hub}, target: {each}, kind: link}}" for each in others]
    return "\n".join(lines) + "\n"


def _names(machines: Sequence[str], build: str, sensors: Sequence[SensorGuess]) -> list[str]:
    """Return the lines below `equipment`."""
    lines = ["  equipment_ids:"]
    if len(machines) == 1:
        lines = [f"  equipment_id: {machines[0]}"]
    else:
        lines += [f"    - {each}" for each in counted(machines)]
    lines.append(f"  name: {machines[0] if len(machines) == 1 else build}")
    renamed = [each for each in sensors if each.header != each.id]
    if renamed:
        lines.append("  # What files and data frames call the sensors.")
        lines.append("  aliases:")
        lines += [
            f"    {each.id}: {json.dumps(each.header, ensure_ascii=False)}" for each in renamed
        ]
    return lines


def counted(names: Sequence[str]) -> list[str]:
    """Return names in order, those of three or more consecutive numbers as one range.

    `engine_1`, `engine_2`, `engine_3` become `"engine_{1..3}"`.
    """
    numbered: defaultdict[str, list[int]] = defaultdict(list)
    found = []
    for name in sorted(names):
        parts = re.fullmatch(r"(.*?)(0|[1-9]\d*)", name)
        if parts:
            numbered[parts[1]].append(int(parts[2]))
        else:
            found.append(name)
    for prefix, numbers in numbered.items():
        runs: list[list[int]] = []
        for number in sorted(numbers):
            if runs and number == runs[-1][-1] + 1:
                runs[-1].append(number)
            else:
                runs.append([number])
        for run in runs:
            whole = [f'"{prefix}{{{run[0]}..{run[-1]}}}"']
            found += whole if len(run) > 2 else [f"{prefix}{number}" for number in run]
    return found


def _sensor(sensor: SensorGuess, period_s: float, extremes: Extremes) -> str:
    rate = float(f"{1 / period_s:.12g}")
    content = {"id": sensor.id, "kind": sensor.kind, "unit": sensor.unit, "rate_hz": rate}
    guessed = list(sensor.guessed)
    comment = ""
    if found := plausible_range(extremes):
        content["range"] = list(found[:2])
        guessed.append("range")
        comment = f"; {found[2]} marks a missing value"
    text = ", ".join(
        f"{key}: {json.dumps(each, ensure_ascii=False)}" for key, each in content.items()
    )
    marked = f"  # guessed: {', '.join(guessed)}{comment}" if guessed else ""
    return f"        - {{{text}}}{marked}"


def plausible_range(extremes: Extremes) -> tuple[float, float, str] | None:
    """Return a range without the values that mark missing ones, and these values.

    It reaches beyond the other values by their own width, because faults may. None: no value marks
    a missing one.
    """
    low, high, spread = extremes.lowest, extremes.highest, extremes.spread
    if low is None or high is None or spread is None:
        return None
    marks = [each for each in (low, high) if marks_missing(each, spread)]
    bottom = low.next if low in marks else low.value
    top = high.next if high in marks else high.value
    if not marks or bottom is None or top is None or bottom >= top:
        return None
    reach = min([top - bottom, *(abs(each.value - (each.next or 0)) / 2 for each in marks)])
    low_end, high_end = (float(f"{end:.3g}") for end in (bottom - reach, top + reach))
    return low_end, high_end, " and ".join(f"{each.value:g}" for each in marks)
