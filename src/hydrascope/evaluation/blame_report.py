"""Which components are to blame in the test windows with an alarm."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from hydrascope.data.windows import EQUIPMENT
from hydrascope.schemas.normality import BLAME, MACHINE

_MOST_MACHINES = 5
"""The machines whose highest score is shown."""


def blame_report(table: pd.DataFrame) -> dict[str, Any] | None:
    """Return who is to blame in the windows with an alarm; None if nobody is in any.

    Args:
        table: Of `score_table`.

    Returns:
        `windows`: the number of windows with an alarm in which components are blamed.
        `components`: for each component that is the most probable one anywhere, by its ID, the
        number of windows (`first`) and its mean probability in all windows of machines that have it
        (`probability`), the most frequent one first. `highest`: of the machines with the highest
        scores, the window of that score with its start, the score, and the `components` of the two
        highest probabilities.
    """
    blame = table[table["level"] == BLAME]
    if blame.empty:
        return None
    first = blame.loc[blame.groupby("window")["score"].idxmax(), "id"].value_counts()
    mean = blame.groupby("id")["score"].mean()
    machines = table[(table["level"] == MACHINE) & table["window"].isin(blame["window"])]
    highest = machines.loc[machines.groupby(EQUIPMENT)["score"].idxmax()]
    highest = highest.sort_values("score", ascending=False, kind="stable")[:_MOST_MACHINES]
    return {
        "windows": int(first.sum()),
        "components": {
            str(name): {"first": int(count), "probability": float(mean[name])}
            for name, count in first.items()
        },
        "highest": [
            {
                "equipment_id": row[EQUIPMENT],
                "start": row["start"].isoformat(),
                "score": float(row["score"]),
                "components": _most_probable(blame[blame["window"] == row["window"]]),
            }
            for row in highest.to_dict("records")
        ],
    }


def _most_probable(blame: pd.DataFrame) -> dict[str, float]:
    two = blame.nlargest(2, "score")
    return dict(zip(two["id"], two["score"].astype(float), strict=True))


def blame_lines(found: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield who is to blame in words, a line; none if nobody is.

    Args:
        found: Of `blame_report`.
    """
    if found is None:
        return
    named = list(found["components"].items())
    shares = [f"{name} in {100 * each['first'] / found['windows']:.0f} %" for name, each in named]
    more = f", {len(named) - 3} others in the rest" if len(named) > 3 else ""
    yield (
        f"Normality: most probably to blame in the {found['windows']} windows with an alarm: "
        f"{', '.join(shares[:3])}{more}"
    )
