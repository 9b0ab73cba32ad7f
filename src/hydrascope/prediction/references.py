"""Reference windows from the beginning of a machine's telemetry."""

from datetime import timedelta

import numpy as np

from hydrascope.data.windows import plan_machine
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.windows import GivenReference, TelemetryWindow
from hydrascope.telemetry.source import TelemetrySource

_MOST = 100
"""The most windows that are read; of more, so many are taken, evenly spread."""


def first_windows(
    source: TelemetrySource, machine: Machine, spec: WindowSpec, hours: float
) -> GivenReference | None:
    """Return the windows in the first hours of a machine's telemetry, or None without any window.

    Args:
        source: Where the telemetry is.
        machine: A machine of the source.
        spec: How windows are laid; these do not overlap.
        hours: From the first sample on.

    Raises:
        SpecError: There are windows but none ends in that time, or the telemetry is damaged.
    """
    equipment_id, length = machine.equipment.equipment_id, timedelta(seconds=spec.window_s)
    apart = WindowSpec(spec.window_s, spec.window_s, spec.steps)
    plan = plan_machine(source, machine, apart, "skip")
    if not len(plan):
        return None
    starts = plan.starts()
    ends_s = (starts - starts[0]).total_seconds() + spec.window_s
    starts = starts[ends_s <= round(hours * 3600.0, 6)]
    if not len(starts):
        raise SpecError(
            f"{hours:g} is not accepted; the first {hours:g} h of {equipment_id!r} hold no whole "
            f"window of {spec.window_s:g} s",
            path="reference_h",
        )
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(len(starts), _MOST)).astype(np.int64))
    windows = []
    for start in starts[chosen].to_pydatetime():
        signals = source.read(equipment_id, TimeWindow(start=start, end=start + length))
        windows.append(TelemetryWindow(machine, start, signals))
    return GivenReference(machine, spec.window_s, tuple(windows))
