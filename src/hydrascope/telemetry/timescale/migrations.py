"""Upgrades a database to the current schema: ordered SQL files, each applied once, atomically."""

import hashlib
from importlib import resources

from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.timescale.errors import DatabaseQueryError

_FOLDER = resources.files("hydrascope.telemetry.timescale") / "sql"
_LOCK = 0x68796472  # an arbitrary number that all upgrading processes share

_LEDGER = """
CREATE SCHEMA IF NOT EXISTS hydrascope;
CREATE TABLE IF NOT EXISTS hydrascope.migrations (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
"""


async def upgrade(
    database: Database, *, compress_after_days: int | None = 7, retain_days: int | None = None
) -> list[str]:
    """Apply missing migrations, and set up TimescaleDB if the server has it.

    Args:
        database: The database.
        compress_after_days: TimescaleDB compresses older rows; None: none.
        retain_days: TimescaleDB deletes older rows; None: none.

    Returns:
        Names of the applied migrations.

    Raises:
        DatabaseError: The rights do not suffice, or an applied migration differs from ours.
    """
    settings = {
        "hydrascope.compress_after_days": compress_after_days,
        "hydrascope.retain_days": retain_days,
    }

    async def work(connection: Connection) -> list[str]:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_LEDGER)
        applied = await _apply_missing(connection, database.settings.place)
        for name, days in settings.items():
            value = "" if days is None else str(days)
            await connection.execute("SELECT set_config($1, $2, true)", name, value)
        await connection.execute((_FOLDER / "timescale.sql").read_text("utf-8"))
        return applied

    return await database.transaction(work)


async def _apply_missing(connection: Connection, place: str) -> list[str]:
    rows = await connection.fetch("SELECT name, sha256 FROM hydrascope.migrations")
    known = {row["name"]: row["sha256"] for row in rows}
    applied = []
    for file in sorted(_FOLDER.iterdir(), key=lambda each: each.name):
        if not file.name[:4].isdigit():
            continue
        text = file.read_text("utf-8")
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        if known.get(file.name, sha256) != sha256:
            raise DatabaseQueryError(
                f"{place}: another version of migration {file.name} was applied; expected the "
                "one of this version: upgrade Hydrascope, or start with an empty database"
            )
        if file.name not in known:
            await connection.execute(text)
            await connection.execute(
                "INSERT INTO hydrascope.migrations (name, sha256) VALUES ($1, $2)",
                file.name,
                sha256,
            )
            applied.append(file.name)
    return applied
