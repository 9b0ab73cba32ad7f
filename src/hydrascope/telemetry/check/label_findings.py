"""What is wrong with the labels of a folder: machines without any, and parts that are none."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from hydrascope.schemas.parts import PARTS, SPLIT
from hydrascope.telemetry.check.sensor_findings import Finding, Severity
from hydrascope.telemetry.time_words import TimeWords

_FEW = 3
"""The most strange parts of a machine that are named."""


def label_findings(
    machines: Sequence[str], labels: Mapping[str, pd.DataFrame], words: TimeWords
) -> Iterator[Finding]:
    """Yield what is wrong with the labels of machines that are recorded.

    Args:
        machines: Their equipment ids.
        labels: The label table of each machine.
        words: How the time of the folder is called.
    """
    without = [name for name in machines if not len(labels.get(name, ()))]
    if len(without) == len(machines) > 0:
        yield Finding(
            Severity.NOTE,
            "no labels",
            "",
            "no machine has labels: what is normal can be learned (task=normality), all else needs "
            "a label file",
        )
    else:
        for name in without:
            yield Finding(
                Severity.HARMS,
                "no labels",
                name,
                "no labels, while other machines have some: no head learns from it; compare "
                "equipment_id in the label files, or add labels",
            )
    for name in machines:
        yield from _strange_parts(name, labels.get(name), words)


def _strange_parts(machine: str, table: pd.DataFrame | None, words: TimeWords) -> Iterator[Finding]:
    """Yield the values of the column `split` that name no part."""
    if table is None or SPLIT not in table:
        return
    known = table[table[SPLIT].notna()]
    strange = known[~known[SPLIT].isin(PARTS)].drop_duplicates(SPLIT)
    for start, value in zip(strange["start"][:_FEW], strange[SPLIT], strict=False):
        yield Finding(
            Severity.HARMS,
            "parts of a split",
            machine,
            f"in its labels from {words.instant(start)} on, {SPLIT} is {value!r}; accepted: "
            f"{', '.join(PARTS)}, or empty; data.split.name=column stops at it",
        )
