"""The table of predictions as a destination of answers."""

import os
from collections.abc import Mapping, Sequence

from hydrascope.monitoring.observation import DiagnosedWindow
from hydrascope.monitoring.predictions import write_predictions
from hydrascope.schemas.errors import ServiceError, SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.equipment.database_store import DatabaseEquipmentStore
from hydrascope.serving.equipment.store import UnavailableError
from hydrascope.serving.windows import GivenReference
from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.timescale.loop import wait
from hydrascope.telemetry.timescale.repositories import equipment_key
from hydrascope.telemetry.timescale.settings import DatabaseSettings


class PredictionTable:
    """Writes diagnoses; can be sent to other processes, each of which opens its own connection.

    Args:
        settings: Of the database.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._open: tuple[int, Database] | None = None

    def __getstate__(self) -> dict[str, object]:
        """Return the state without connections."""
        return self.__dict__ | {"_open": None}

    @property
    def place(self) -> str:
        """Host and database."""
        return self._settings.place

    def references(self, machines: Mapping[str, Machine]) -> dict[str, GivenReference | None]:
        """Return the reference windows that the service was given for each machine.

        Raises:
            SpecError: The database does not know a machine.
            ServiceError: It does not answer.
        """

        async def work() -> dict[str, GivenReference | None]:
            store = DatabaseEquipmentStore(self._settings, {})
            try:
                known = await store.all()
                if unknown := [name for name in machines if name not in known]:
                    some = ", ".join([*known][:20]) or "none yet"
                    raise SpecError(
                        f"into: no machine {unknown[0]!r} in {self.place}; there is: {some}"
                    )
                return {name: await store.reference(machines[name]) for name in machines}
            except UnavailableError as error:
                raise ServiceError(f"into: {error}") from error
            finally:
                await store.close()

        return wait(work())

    def write(self, equipment_id: str, windows: Sequence[DiagnosedWindow], version: str) -> None:
        """Write diagnoses of one machine in one transaction; those that are there stay.

        Raises:
            ServiceError: The database does not answer.
        """
        if self._open is None or self._open[0] != os.getpid():
            self._open = os.getpid(), Database(self._settings)

        async def work(connection: Connection) -> None:
            key = await equipment_key(connection, equipment_id)
            await write_predictions(connection, key, windows, version, "predict")

        wait(self._open[1].transaction(work))

    def close(self) -> None:
        """Close this process's connections."""
        if self._open is not None and self._open[0] == os.getpid():
            wait(self._open[1].close())
        self._open = None
