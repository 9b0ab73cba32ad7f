"""Telemetry in PostgreSQL, with or without TimescaleDB."""

from importlib.util import find_spec

from hydrascope.schemas.errors import SpecError

if missing := [name for name in ("asyncpg", "tenacity") if find_spec(name) is None]:
    raise SpecError(
        f"{missing[0]} is not installed; expected the extra timescale: pip install "
        "'hydrascope[timescale]'"
    )
