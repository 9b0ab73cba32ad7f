"""What the service reads of a watch: predictions over time, alarms, silences."""

from dataclasses import dataclass
from typing import Self

from hydrascope.monitoring.alarms import AlarmRepository
from hydrascope.monitoring.news import NewsReader
from hydrascope.monitoring.overview import Overview, read_overview
from hydrascope.monitoring.predictions import PredictionRepository
from hydrascope.monitoring.rules import read_rules
from hydrascope.monitoring.silences import SilenceRepository
from hydrascope.telemetry.timescale.database import Database
from hydrascope.telemetry.timescale.settings import DatabaseSettings


@dataclass(frozen=True, eq=False)
class Monitor:
    """Repositories of one database; its connections are opened when they are first needed."""

    database: Database
    alarms: AlarmRepository
    predictions: PredictionRepository
    silences: SilenceRepository
    news: NewsReader

    @classmethod
    def open(cls, settings: DatabaseSettings) -> Self:
        """Open the repositories."""
        database = Database(settings)
        return cls(
            database,
            AlarmRepository(database, read_rules(None)),
            PredictionRepository(database),
            SilenceRepository(database),
            NewsReader(database),
        )

    async def overview(self, search: str, limit: int, offset: int) -> Overview:
        """Return machines, the worst first."""
        return await read_overview(self.database, search, limit, offset)

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()
