"""The real rig twice, once built without one of its sensors."""

from collections.abc import Mapping

import pandas as pd

from hydrascope.schemas import Machine, TimeWindow
from hydrascope.telemetry.source import Signal
from hydrascope.telemetry.zema import ZemaSource

MISSING = "PS4"


class TwoBuilds(ZemaSource):
    """Machines `zema` and `lean`; `lean` reads as `zema` does, without one sensor."""

    def machines(self) -> Mapping[str, Machine]:
        """Return both machines."""
        whole = super().machines()["zema"]
        lean = whole.model_dump(mode="json")
        lean["equipment"]["equipment_id"] = "lean"
        lean["topology"]["id"] = "lean"
        for component in lean["topology"]["components"]:
            component["sensors"] = [s for s in component["sensors"] if s["id"] != MISSING]
        return {"zema": whole, "lean": Machine.model_validate(lean)}

    def extents(self, equipment_id: str) -> list[TimeWindow]:
        """Return the rig's, of either machine."""
        return super().extents("zema")

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        """Return what the machine has of the rig's signals."""
        signals = super().read("zema", window)
        if equipment_id == "lean":
            del signals[MISSING]
        return signals

    def labels(self, equipment_id: str) -> pd.DataFrame:
        """Return the rig's."""
        return super().labels("zema")
