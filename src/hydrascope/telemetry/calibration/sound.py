"""The times at which a machine was sound, by its labels."""

from collections.abc import Mapping, Sequence

import pandas as pd

from hydrascope.schemas import SpecError, TimeWindow
from hydrascope.schemas.errors import closest
from hydrascope.schemas.task import HEALTH

_TIMES = ("start", "end")
_SOUND = 0.999
"""The least `health` of a sound machine; 1 but for rounding."""

Values = Mapping[str, frozenset[str]]
"""By label, the values that a sound machine has, as texts."""


def sound_values(texts: Sequence[str]) -> Values:
    """Return the values of `--sound label=value`; several for a label are alternatives.

    Raises:
        SpecError: A text is of another form.
    """
    found: dict[str, frozenset[str]] = {}
    for text in texts:
        label, sign, values = text.partition("=")
        if not (label and sign and values):
            raise SpecError(f"--sound {text}: expected LABEL=VALUE, as in valve=100")
        chosen = frozenset(_spelt(each) for each in values.split(","))
        found[label] = found.get(label, frozenset()) | chosen
    return found


def sound_stretches(
    labels: pd.DataFrame, extents: Sequence[TimeWindow], sound: Values
) -> list[TimeWindow]:
    """Return the stretches of the extents in which a machine was sound, in order of time.

    Without any label all of them are. Otherwise a time without a label is not known to be sound, so
    it does not count. Intervals that follow each other are one stretch.

    Args:
        labels: As of `TelemetrySource.labels`.
        extents: What was recorded.
        sound: The labels of a sound machine; none: `health` must be 1.

    Raises:
        SpecError: A label or a value is unknown, or nothing tells what is sound.
    """
    names = [str(name) for name in labels.columns if name not in _TIMES]
    if not names:
        if sound:
            raise SpecError(f"--sound {next(iter(sound))}: the telemetry has no labels")
        return list(extents)
    rows = labels[_is_sound(labels, names, sound)]
    if rows.empty:
        raise SpecError("no label says that the machine was sound, so nothing can be learned")
    merged: list[tuple[pd.Timestamp, pd.Timestamp]] = []
    for start, end in zip(rows["start"], rows["end"], strict=True):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return [
        TimeWindow(start=max(start, extent.start), end=min(end, extent.end))
        for extent in extents
        for start, end in merged
        if max(start, extent.start) < min(end, extent.end)
    ]


def _is_sound(labels: pd.DataFrame, names: Sequence[str], sound: Values) -> "pd.Series[bool]":
    if not sound:
        if HEALTH not in names:
            raise SpecError(
                f"--sound: missing; expected LABEL=VALUE of a sound machine, of: {', '.join(names)}"
            )
        healthy: pd.Series[bool] = labels[HEALTH].astype("float64") >= _SOUND
        return healthy
    chosen = pd.Series(True, index=labels.index)
    for label, values in sound.items():
        if label not in names:
            raise SpecError(
                f"--sound {label}: expected one of {', '.join(names)}{closest(label, names)}"
            )
        spelt = labels[label].map(_spelt, na_action="ignore")
        if unknown := sorted(values - set(spelt.dropna())):
            there = sorted(set(spelt.dropna()))
            raise SpecError(
                f"--sound {label}={unknown[0]}: no label has it; there are: {', '.join(there)}"
            )
        chosen &= spelt.isin(values)
    return chosen


def _spelt(value: object) -> str:
    """Return a label's value as a text; 100 and 100.0 are one."""
    try:
        return f"{float(str(value)):g}"
    except ValueError:
        return str(value)
