"""Sources made of cycles of the real rig: several machines, gaps, damage, missing labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pandas as pd

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
