"""Sources made of cycles of the real rig: several machines, gaps, damage, missing labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.extraction import extract_windows
from hydrascope.data.store.format import StoreField, StoreSpec
from hydrascope.data.store.reader import GraphStore, Verify
from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.data.store.writer import claim, write_chunk
from hydrascope.data.windows import plan_windows, window_table
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas import Machine, TimeWindow
from hydrascope.telemetry import Signal, ZemaSource
from hydrascope.telemetry.zema import EPOCH

CYCLE = timedelta(seconds=60)
Change = Callable[[dict[str, Signal]], dict[str, Signal]]


def cycles(first: int, count: int) -> TimeWindow:
    return TimeWindow(start=EPOCH + first * CYCLE, end=EPOCH + (first + count) * CYCLE)


@dataclass
class RigParts:
    """Each machine is the rig during some stretches; `change` is what became of its signals."""

    rig: ZemaSource
    stretches: Mapping[str, Sequence[TimeWindow]]
    change: Mapping[str, Change] = field(default_factory=dict)
    relabel: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = field(default_factory=dict)
    fingerprint: str = "parts of the rig"

    def machines(self) -> dict[str, Machine]:
        rig = self.rig.machines()[self.rig.equipment_id]
        return {
            name: rig.model_copy(
                update={"equipment": rig.equipment.model_copy(update={"equipment_id": name})}
            )
            for name in self.stretches
        }

    def extents(self, equipment_id: str) -> list[TimeWindow]:
        return list(self.stretches[equipment_id])

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        signals = self.rig.read(self.rig.equipment_id, window)
        return self.change.get(equipment_id, dict)(signals)

    def labels(self, equipment_id: str) -> pd.DataFrame:
        labels = self.rig.labels(self.rig.equipment_id)
        return self.relabel.get(equipment_id, lambda table: table)(labels)


@dataclass(frozen=True)
class MachineWindows:
    """All windows of one machine, computed directly."""

    features: Tensor
    observed: Tensor
    table: pd.DataFrame


def direct(
    source: RigParts, machine: Machine, spec: WindowSpec, engineer: FeatureEngineer
) -> MachineWindows:
    """Extract all windows in one go, without a store."""
    plan = plan_windows(source, machine, spec)
    arrays = extract_windows(source, plan, engineer, range(len(plan)))
    return MachineWindows(
        torch.from_numpy(arrays[SENSOR_FEATURES]),
        torch.from_numpy(arrays[SENSOR_OBSERVED]),
        window_table(plan, source.labels(plan.equipment_id)),
    )


def spec_of(arrays: Mapping[str, NDArray[Any]], chunk_windows: int, **content: Any) -> StoreSpec:
    """What a store of these arrays is to hold."""
    return StoreSpec(
        equipment_id="machine",
        windows=len(next(iter(arrays.values()))),
        chunk_windows=chunk_windows,
        fields={
            name: StoreField(shape=array.shape[1:], dtype=array.dtype.str)
            for name, array in arrays.items()
        },
        content=content,
    )


def stored(
    folder: Path,
    arrays: Mapping[str, NDArray[Any]],
    chunk_windows: int,
    verify: Verify = Verify.READ,
    **content: Any,
) -> GraphStore:
    """Write arrays [W, *shape] into a store, as far as they are missing, and open it."""
    spec = spec_of(arrays, chunk_windows, **content)
    writer = claim(folder, spec, wait=True)
    if writer is not None:
        for chunk in writer.pending:
            rows = np.array(spec.rows(chunk))
            part = {name: array[rows] for name, array in arrays.items()}
            writer.record(chunk, write_chunk(writer.folder, spec, chunk, part))
        writer.finish()
    return GraphStore(folder / spec.name, verify)
