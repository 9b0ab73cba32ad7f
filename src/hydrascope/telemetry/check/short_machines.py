"""Machines that are recorded for less than a window."""

from collections.abc import Iterator

import pandas as pd

from hydrascope.telemetry.check.examine import Examination


def short_machines(found: Examination, window_s: float | None) -> Iterator[str]:
    """Yield one line that counts and names all machines that are shorter than a window.

    Args:
        found: Content of the folder.
        window_s: Length of a window; None yields nothing.
    """
    if window_s is None:
        return
    brief = []
    for name, machine in found.machines.items():
        ids = [sensor.id for _, sensor in machine.topology.sensors]
        stats = [found.sensors[name, each] for each in ids if (name, each) in found.sensors]
        first = pd.to_datetime([each.first for each in stats if each.first], utc=True)
        last = pd.to_datetime([each.last for each in stats if each.last], utc=True)
        if len(first):
            period_s = max((1 / each.rate_hz for each in stats if each.rate_hz), default=0.0)
            duration_s = (last.max() - first.min()).total_seconds() + period_s
            if duration_s < window_s:
                brief.append(f"{name} ({duration_s:g} {found.words.second})")
    if brief:
        yield (
            f"{len(brief)} of {len(found.machines)} machines are recorded for less than a window "
            f"of {window_s:g} {found.words.second}: {', '.join(brief)}; shorten it, or set "
            "data.window.short=skip or pad"
        )
