"""Storage of labels: those that were ingested, and those of verdicts on alarms."""

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd

from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.timescale.repositories import equipment_key

Content = Mapping[str, float | int | str]
"""Label → its value."""

_SAVE = """
INSERT INTO hydrascope.labels (equipment_key, starts, ends, content)
VALUES ($1, $2, $3, $4) ON CONFLICT (equipment_key, starts) WHERE alarm_key IS NULL
DO UPDATE SET ends = excluded.ends, content = excluded.content, given_on = now()
"""
# What counts as sound after a repair ends where the same component and head have an alarm again.
_OF = """
SELECT given.starts, coalesce(least(given.ends, again.begins), given.ends) AS ends, given.content,
       given.alarm_key IS NOT NULL AS judged
FROM hydrascope.labels AS given
LEFT JOIN hydrascope.alarms AS about ON about.alarm_key = given.alarm_key
    AND given.verdict = 'repaired' AND given.starts > about.since
LEFT JOIN LATERAL (
    SELECT min(begins) AS begins
    FROM hydrascope.alarms AS next, LATERAL (
        SELECT CASE WHEN next.alarm_key = about.alarm_key THEN next.raised_at ELSE next.since END
    ) AS at (begins)
    WHERE next.equipment_key = about.equipment_key AND next.component_id = about.component_id
        AND next.head = about.head AND begins > given.starts
) AS again ON true
WHERE given.equipment_key = $1 AND (given.alarm_key IS NULL
    OR (given.superseded_on IS NULL OR given.superseded_on > $2)
    AND ($2 IS NULL OR given.given_on <= $2))
ORDER BY judged, CASE WHEN given.alarm_key IS NULL THEN given.starts ELSE given.given_on END,
         given.label_key
"""


class LabelRow(NamedTuple):
    """Labels of a span of time."""

    starts: datetime
    ends: datetime
    content: Content


class LabelRepository:
    """Labels of machines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, equipment_id: str, table: pd.DataFrame) -> None:
        """Add rows of a label table in the form of `TelemetrySource.labels`.

        A row replaces an ingested one with the same start. Labels of verdicts stay.

        Raises:
            SpecError: The machine is unknown.
        """
        names = [name for name in table if name not in ("start", "end")]
        rows = [
            (row["start"], row["end"], json.dumps(_content(row, names)))
            for row in table.to_dict("records")
        ]

        async def work(connection: Connection) -> None:
            key = await equipment_key(connection, equipment_id)
            await connection.executemany(_SAVE, [(key, *row) for row in rows])

        await self._database.transaction(work)

    async def of(self, equipment_id: str, verdicts_until: datetime | None = None) -> pd.DataFrame:
        """Return a machine's labels in the form of `TelemetrySource.labels`.

        Verdicts take precedence over what was ingested, and later ones over earlier ones.

        Args:
            equipment_id: The machine.
            verdicts_until: Later verdicts are left out, as if they had not been given yet; None:
                all count.

        Raises:
            SpecError: The machine is unknown.
        """

        async def work(connection: Connection) -> Any:
            key = await equipment_key(connection, equipment_id)
            return await connection.fetch(_OF, key, verdicts_until)

        found = await self._database.run(work)
        rows = [LabelRow(row["starts"], row["ends"], json.loads(row["content"])) for row in found]
        if any(row["judged"] for row in found):
            rows = layered(rows)
        ends = {
            name: pd.Series([row[column] for row in rows], dtype="datetime64[us, UTC]")
            for column, name in enumerate(("start", "end"))
        }
        return pd.DataFrame(ends).join(pd.DataFrame([row.content for row in rows]))


def layered(rows: Sequence[LabelRow]) -> list[LabelRow]:
    """Lay rows over each other; where they overlap, the values of the last one that has them count.

    Returns:
        Rows in order of time, without overlap.
    """
    borders = sorted({time for row in rows for time in (row.starts, row.ends)})
    pieces: list[dict[str, float | int | str]] = [{} for _ in borders]
    for row in rows:
        for number in range(bisect_left(borders, row.starts), bisect_left(borders, row.ends)):
            pieces[number].update(row.content)
    ends = borders[1:]
    return [LabelRow(*each) for each in zip(borders, ends, pieces, strict=False) if each[2]]


def _content(row: Mapping[Any, Any], names: list[Any]) -> dict[str, float | int | str]:
    """Return a row's labels as JSON values, without missing ones."""
    return {str(name): _plain(row[name]) for name in names if not pd.isna(row[name])}


def _plain(value: Any) -> float | int | str:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return float(value)
    return value if isinstance(value, int | float) else str(value)
