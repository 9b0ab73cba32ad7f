"""The text of machine, task and experiment files, with comments where a value was guessed."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from hydrascope.schemas.kinds import ComponentType, SensorKind
from hydrascope.telemetry.init.headers import SensorGuess
from hydrascope.telemetry.init.survey import Survey

_HUB = "machine"
_MOST_CLASSES = 20
_MOST_SAMPLES, _FEWEST_SAMPLES, _WINDOWS_OF_SHORTEST = 60, 10, 10
_GAP_PERIODS = 5
_FEWEST_MACHINES, _FEWEST_INTERVALS = 3, 10
"""The fewest machines, or intervals, that each class of a label must have to be learned."""
_WIDTH = 12
"""The most ids that are written into one line."""


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
        files[f"{build}.yaml"] = _machine_file(build, sorted(machines), of_build, periods_s)
    return files


def _machine_file(
    build: str,
    machines: Sequence[str],
    sensors: Sequence[SensorGuess],
    periods_s: Mapping[str, float],
) -> str:
    components: defaultdict[str, list[SensorGuess]] = defaultdict(list)
    for sensor in sensors:
        components[sensor.component or _HUB].append(sensor)
    hub = _HUB if _HUB in components else next(iter(components))
    lines = [
        "# Written by `hydrascope init`. Correct what is marked as guessed; `hydrascope schema",
        "# machine` lists every key, kind and unit.",
        "schema_version: 1",
        "equipment:",
        *_names(machines, build),
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
        lines += [_sensor(each, periods_s[each.id]) for each in carried]
    others = [each for each in components if each != hub]
    if others:
        lines += [
            "  # Guessed. Give the real lines; those with sizes have them as features.",
            "  edges:",
        ]
        lines += [f"    - {{source: {hub}, target: {each}, kind: link}}" for each in others]
    return "\n".join(lines) + "\n"


def _names(machines: Sequence[str], build: str) -> list[str]:
    if len(machines) == 1:
        return [f"  equipment_id: {machines[0]}", f"  name: {machines[0]}"]
    lines = ["  equipment_ids:"]
    if len(machines) <= _WIDTH:
        lines = [f"  equipment_ids: [{', '.join(machines)}]"]
    else:
        lines += [f"    - {each}" for each in machines]
    return [*lines, f"  name: {build}"]


def _sensor(sensor: SensorGuess, period_s: float) -> str:
    rate = float(f"{1 / period_s:.12g}")
    content = {"id": sensor.id, "kind": sensor.kind, "unit": sensor.unit, "rate_hz": rate}
    if sensor.header != sensor.id:
        content["description"] = sensor.header
    text = ", ".join(
        f"{key}: {json.dumps(each, ensure_ascii=False)}" for key, each in content.items()
    )
    marked = f"  # guessed: {', '.join(sensor.guessed)}" if sensor.guessed else ""
    return f"        - {{{text}}}{marked}"


def learnable(table: pd.DataFrame, label: str) -> bool:
    """Return whether each class of a label is frequent enough to be learned and judged."""
    if table[label].nunique() > _MOST_CLASSES:
        return True
    each = table.groupby(label)
    several = each["equipment_id"].nunique().min() >= _FEWEST_MACHINES
    often = each.size().min() >= _FEWEST_INTERVALS
    return bool(table[label].nunique() > 1 and (several or often))


def task_file(name: str, labels: Mapping[str, pd.DataFrame]) -> str:
    """Return the task: what the labels allow to learn, or what is normal if they are too few."""
    lines = [
        "# Written by `hydrascope init`; `hydrascope schema task` explains every key.",
        f"name: {name}",
    ]
    heads: list[str] = []
    for label, table in labels.items():
        if learnable(table, label):
            heads += _head(label, table[label])
    healthy = {label: float(table[label].min()) for label, table in labels.items()}
    if heads:
        return "\n".join([*lines, "heads:", *heads]) + "\n"
    return "\n".join(
        [
            *lines,
            "# No label has enough examples of each class, so the task is to learn what is normal.",
            "# Labels are tables of equipment_id, start, end and a column for each label.",
            "normality:",
            "  # Guessed: the labels of a healthy window, {label: value}. null: all are healthy.",
            f"  healthy: {json.dumps(healthy) if healthy else 'null'}",
            "  # Guessed: the share of healthy windows that may raise an alarm. n validation",
            "  # windows can promise 1/(n+1) at best.",
            "  false_alarm_rate: 0.05",
            "  smoothing: 0.0",
            "  weight: 1.0",
            "heads: []",
            "",
        ]
    )


def _head(label: str, values: "pd.Series[float]") -> list[str]:
    distinct = sorted(values.dropna().unique())
    lines = [f"  - name: {label}", "    level: machine  # guessed; or component"]
    if set(distinct) <= {0, 1}:
        return [*lines, "    kind: binary  # guessed: 1 is what is looked for"]
    if len(distinct) <= _MOST_CLASSES:
        lines += [
            "    kind: multi_class  # guessed; ordinal if the values are grades",
            "    classes:",
        ]
        return [
            *lines,
            *(f"      - {{value: {each:g}, name: {label} {each:g}}}" for each in distinct),
        ]
    return [*lines, "    kind: regression  # guessed: many different values"]


def experiment_file(
    name: str,
    found: Survey,
    places: Mapping[str, Path | None],
    time_zone: str | None,
    labels: Mapping[str, pd.DataFrame],
) -> str:
    """Return the experiment, which trains with one command.

    Args:
        name: The name of the task.
        found: What the folder contains.
        places: `folder`, `machines` and `labels` as in `FolderSettings`.
        time_zone: Zone of times without one; None: all times have one.
        labels: The labels, as tables of intervals.
    """
    period_s = max(max(each.periods_s.values()) for each in found.machines.values())
    shortest_s = min(each.duration_s for each in found.machines.values())
    fitting = int(shortest_s / period_s / _WINDOWS_OF_SHORTEST)
    samples = min(max(fitting, _FEWEST_SAMPLES), _MOST_SAMPLES) // 10 * 10
    length = f"{samples * period_s:g}"
    lines = [
        "# @package _global_",
        "# Written by `hydrascope init`. Correct what is marked as guessed.",
        *(f"# Guessed: {each}." for each in found.remarks),
        "defaults:",
        "  - override /data: parquet",
        f"  - override /task: {name}",
        "data:",
        "  source:",
        *(f"    {key}: {json.dumps(str(path))}" for key, path in places.items() if path),
    ]
    if time_zone is not None:
        lines += ["    # Guessed: the zone of times that have none.", f"    time_zone: {time_zone}"]
    lines += [
        "    # Guessed from the slowest sensor: a longer time without samples ends a recording.",
        f"    max_gap_s: {max(10.0, _GAP_PERIODS * period_s):g}",
        "  window:",
        "    # Guessed: a window should span what distinguishes the states, such as a load cycle.",
        f"    window_s: {length}",
        f"    stride_s: {length}",
        f"    steps: {10 if samples >= 20 else 5}",
    ]
    learned = [label for label, table in labels.items() if learnable(table, label)]
    if not learned:
        lines += [
            "  split:",
            "    # Large, because these windows set the threshold of alarms.",
            "    val_fraction: 0.3",
        ]
    elif len(found.machines) >= _FEWEST_MACHINES + 2:
        lines += ["  split:", "    # Guessed: judged on machines that training has not seen."]
        lines += ["    name: by_machine", "    val_fraction: 0.25"]
    return "\n".join(lines) + "\n"
