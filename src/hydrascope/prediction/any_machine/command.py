"""`hydrascope diagnose`: answers of the network in the package."""

import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from hydrascope.graphs.input_spec import InputSpec
from hydrascope.packaging.files import read_manifest
from hydrascope.packaging.pretrained import PACKAGED
from hydrascope.prediction.any_machine.verdict import Verdict, verdict
from hydrascope.prediction.command import Options, predict
from hydrascope.prediction.shards import file_of
from hydrascope.schemas import GraphTopology

LIMITS = (
    "The network learned from simulated circuits alone, and was tested on simulated machines that "
    "it had not seen. It knows nine faults of hydraulic components, not those of electronics or "
    "software. Read this as where to look first, not as a finding."
)
"""What the answers are worth, and what they were never tested on."""
_SHOWN = 6
"""The most components in a table."""


def diagnose(
    machine_file: Path,
    telemetry: Path,
    folder: Mapping[str, object],
    options: Options,
    *,
    pictures: bool = False,
) -> None:
    """Answer all windows of the machines of a file, and print a verdict on each.

    Args:
        machine_file: Describes one or several machines of one build.
        telemetry: A folder of Parquet or CSV files.
        folder: Keys of `FolderSettings` that describe it.
        options: How.
        pictures: Whether each machine is drawn over time, beside its answers.

    Raises:
        SpecError: The machine file or the telemetry is invalid, or the network does not know a kind
            of component or sensor.
    """
    console = Console()
    spec = read_manifest(PACKAGED).input_spec
    described = {**folder, "machines": str(machine_file)}
    machines = predict(str(PACKAGED), [str(telemetry)], described, options)
    for name, machine in machines.items():
        file = file_of(options.output, name)
        if not file.exists():  # no whole window, which a line has said
            continue
        answers = pd.read_parquet(file)
        _show(console, name, verdict(answers))
        if unread := unknown_sensors(machine.topology, spec):
            console.print(f"Not read, because no circuit had the like: {', '.join(unread)}")
        if pictures:
            from hydrascope.prediction.any_machine.picture import save_picture

            save_picture(answers, name, file.with_suffix(".png"))
    hours = f"the first {options.reference_h:g} h, in which each machine was taken to be sound"
    console.print(f"Compared with {hours} (--reference-h).")
    console.print(LIMITS)


def unknown_sensors(topology: GraphTopology, spec: InputSpec) -> list[str]:
    """Return the sensors whose role is not in the vocabulary of a network."""
    return [
        sensor.id
        for component, sensor in topology.sensors
        if spec.role(topology.components[component], sensor) == len(spec.sensor_roles)
    ]


def _show(console: Console, name: str, found: Verdict) -> None:
    period = f"{found.begin:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M %Z}"
    line = f"{name}: health {_number(found.health)}; {found.windows} windows, {period}"
    console.print(line, soft_wrap=True, highlight=False)
    table = Table("component", "health", "most probable fault", "probability", "flagged")
    for each in found.findings[:_SHOWN]:
        health, probability = _number(each.health), _number(each.probability)
        fault, flagged = each.fault.replace("_", " "), f"{each.flagged} of {found.latest}"
        table.add_row(each.component, health, fault, probability, flagged)
    console.print(table)
    if not math.isnan(found.reliable) and found.reliable < 1.0:
        share = f"{1.0 - found.reliable:.0%}"
        console.print(f"Of the answers in these {found.latest} windows {share} are not reliable.")


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"
