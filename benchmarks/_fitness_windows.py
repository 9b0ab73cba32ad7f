"""Windows of machines that are sent to the service as they are and disturbed, with the truth."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks._disturbances import disturbances
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.assemble import build_datamodule
from hydrascope.experiment.base import Target
from hydrascope.experiment.restore import Restored
from hydrascope.schemas.task import HeadLevel
from hydrascope.schemas.time import TimeWindow

HOURS = 1.0
"""The recorded hours of a simulated machine: 30 windows, five times those of the test."""


class Asked(NamedTuple):
    """A window to send, with the truth."""

    body: bytes
    kind: str
    truth: Mapping[tuple[str, str], list[float]]
    """By component ("machine" for the whole) and head; NaN without a label."""


def chosen(data: HydraulicDataModule) -> Iterator[tuple[str, list[int]]]:
    """Yield the first test machine of each build, with its test windows."""
    table = data.table.iloc[data.split.test]
    seen: set[str] = set()
    for equipment_id, own in table.groupby("equipment_id", sort=False, observed=True):
        build = data.machines[str(equipment_id)].topology.id
        if build not in seen:
            seen.add(build)
            yield str(equipment_id), [*map(int, own.index)]


def recorded_longer(restored: Restored, folder: Path) -> HydraulicDataModule:
    """Return windows of the first simulated machine of each kind, recorded for `HOURS`.

    Machines and lives are those of the training's source, of which these are test machines.

    Args:
        restored: Trained on a fleet.
        folder: The folder of the windows' store.
    """
    settings = restored.settings
    source = settings.data.source.model_dump(by_alias=True)
    source |= {"machines_per_kind": 1, "hours": HOURS}
    store = settings.data.store.model_copy(update={"folder": str(folder)})
    target = Target.model_validate(source)
    changed = settings.data.model_copy(update={"source": target, "store": store})
    data = build_datamodule(changed, settings.features, settings.task, settings.seed)
    data.read_as(restored.data.input_spec)
    data.judge_all()
    data.setup()
    assert {name for name, _ in chosen(restored.data)} == set(data.machines)
    return data


def windows(data: HydraulicDataModule, equipment_id: str, rows: list[int]) -> Iterator[Asked]:
    """Yield a machine's windows with all disturbances."""
    machine = data.machines[equipment_id]
    sensors = [sensor.id for _, sensor in machine.topology.sensors]
    window_s = data.window.window_s
    for row in rows:
        start = data.table["start"].loc[row].to_pydatetime()
        end = start + timedelta(seconds=window_s)
        signals = data.source.read(equipment_id, TimeWindow(start=start, end=end))
        truth = _truth(data, row)
        for kind, apply in disturbances(sensors):
            content = {
                name: {
                    "values": [None if np.isnan(v) else v for v in signal.values.tolist()],
                    "rate_hz": signal.rate_hz,
                }
                for name, signal in apply(signals).items()
            }
            body = {"equipment_id": equipment_id, "start": start.isoformat(), "signals": content}
            yield Asked(json.dumps(body).encode(), kind, truth)


def _truth(data: HydraulicDataModule, row: int) -> dict[tuple[str, str], list[float]]:
    batch = data.dataset.gather([row])
    (machine,) = (each for each, _ in data.dataset.locate(np.array([row])))
    components = data.machines[machine.equipment_id].topology.components
    found: dict[tuple[str, str], list[float]] = {}
    for head in data.task.heads:
        target = batch.targets[head.name].tolist()
        if head.level is HeadLevel.MACHINE:
            found["machine", head.name] = target[0]
        else:
            for component, own in zip(components, target, strict=True):
                found[component.id, head.name] = own
    return found
