"""A summary of the latest answers about one machine."""

from typing import NamedTuple

import pandas as pd

LATEST = 5
"""The number of windows that a verdict is about; one alone is noisy."""


class Finding(NamedTuple):
    """What is said of one component."""

    component: str
    health: float
    """The median over the latest windows; NaN without reliable answers."""
    fault: str
    """The most probable fault."""
    probability: float
    """Its mean probability over the latest windows."""
    flagged: int
    """The number of the latest windows in which it is flagged."""


class Verdict(NamedTuple):
    """What is said of a machine."""

    windows: int
    """The number of answered windows."""
    latest: int
    """The number of windows that the verdict is about."""
    begin: pd.Timestamp
    end: pd.Timestamp
    """The start of the first and the end of the last window."""
    health: float
    """The machine's, likewise."""
    reliable: float
    """The share of the latest answers that are reliable; NaN if this was not judged."""
    findings: tuple[Finding, ...]
    """Of all components, the most suspicious first."""


def verdict(answers: pd.DataFrame) -> Verdict:
    """Summarise the answers of the task `diagnosis` about one machine.

    Args:
        answers: A file of `hydrascope predict`.
    """
    starts = sorted(answers["start"].unique())
    latest = answers[answers["start"].isin(starts[-LATEST:])]
    by_head = dict(list(latest.groupby("head")))
    faults = by_head["component_anomalies"].groupby(["component", "label"])
    health = by_head["component_health"].groupby("component")["value"].median().to_dict()
    worst: dict[str, Finding] = {}
    for (component, label), rows in faults:
        found = Finding(
            str(component),
            float(health[str(component)]),
            str(label),
            float(rows["probability"].mean()),
            int(rows["present"].sum()),
        )
        known = worst.setdefault(found.component, found)
        worst[found.component] = max(known, found, key=lambda each: each.probability)
    return Verdict(
        len(starts),
        min(LATEST, len(starts)),
        answers["start"].min(),
        answers["end"].max(),
        float(by_head["health"]["value"].median()),
        float(latest["reliable"].dropna().astype(float).mean()),
        tuple(sorted(worst.values(), key=lambda each: -each.probability)),
    )
