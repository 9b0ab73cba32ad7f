"""Methods of what a watch has found over time."""

from datetime import datetime
from functools import partial

import pandas as pd

from hydrascope.client.connection import Connection, path_of
from hydrascope.client.frames import diagnoses_frame, series_frame, signals_frame
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.http.history_views import (
    DiagnosisPage,
    MachineOverview,
    OverviewAnswer,
    SeriesAnswer,
    SignalsAnswer,
)

_PAGE = 1000
"""Entries of a page; the service gives no more at once."""
_path = partial(path_of, "equipment")


class HistoryMethods:
    """The methods of `Client` that concern earlier diagnoses and signals."""

    _service: Connection

    def overview(self, search: str = "") -> list[MachineOverview]:
        """Show all machines whose ID or name contains `search`, the worst first."""
        found: list[MachineOverview] = []
        while True:
            query = {"search": search, "limit": _PAGE, "offset": len(found)}
            page = self._service.read(OverviewAnswer, "overview", query)
            found += page.machines
            if not page.machines or len(found) >= page.total:
                return found

    def diagnoses(
        self,
        equipment_id: str,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> pd.DataFrame:
        """Return what a watch said of the windows of a machine.

        Args:
            equipment_id: The machine.
            start: Windows end after it; None: from the first one on.
            end: They do not end after it; None: up to the last one.

        Returns:
            A row an answer, the newest window first; columns as those of `Diagnoser.predict`.
        """
        query: dict[str, object] = {"from": start, "to": end, "limit": _PAGE}
        found: list[Diagnosis] = []
        while True:
            page = self._service.read(DiagnosisPage, _path(equipment_id, "diagnoses"), query)
            found += page.diagnoses
            if page.next is None:
                return diagnoses_frame(found)
            query["cursor"] = page.next

    def series(
        self,
        equipment_id: str,
        start: datetime,
        end: datetime,
        *,
        points: int = 500,
        component_id: str | None = None,
    ) -> pd.DataFrame:
        """Return the reliable numbers of a machine over time: health, probabilities, values.

        Args:
            equipment_id: The machine.
            start: Of the time.
            end: Of the time.
            points: Most points of a line; the finest of windows, hours and days is taken.
            component_id: A component, or if it is empty the machine itself; None: all.

        Returns:
            A row a point: time, component_id, head, label, measure, unit, mean, lowest, highest.
        """
        query = {"from": start, "to": end, "points": points}
        query |= {} if component_id is None else {"component_id": component_id}
        return series_frame(self._service.read(SeriesAnswer, _path(equipment_id, "series"), query))

    def signals(self, equipment_id: str, start: datetime, *, points: int = 300) -> pd.DataFrame:
        """Return the signals of the window that starts at `start`, `points` values each at most.

        Returns:
            A row for each sensor and time: time, sensor_id, unit, state, low, high.
        """
        query = {"start": start, "points": points}
        return signals_frame(
            self._service.read(SignalsAnswer, _path(equipment_id, "signals"), query)
        )
