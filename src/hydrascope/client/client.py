"""Everything that a service does over HTTP, as methods."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Self

import httpx
import pandas as pd

from hydrascope.client.alarms import AlarmMethods
from hydrascope.client.connection import Connection, path_of
from hydrascope.client.frames import signals_of
from hydrascope.client.history import HistoryMethods
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.machine import Machine
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.diagnosis.requests import (
    BatchRequest,
    DiagnoseRequest,
    ReferenceRequest,
    TopologyRequest,
)
from hydrascope.serving.equipment.references import EquipmentReference, ReferenceVerdict
from hydrascope.serving.http.problem_body import Problem
from hydrascope.serving.http.views import (
    BatchAnswer,
    EquipmentDetail,
    EquipmentSummary,
    ModelSummary,
    State,
    TopologyVerdict,
)

_BATCH = 100
"""Windows of a batch; the service takes no more at once."""
_path = partial(path_of, "equipment")


class Client(HistoryMethods, AlarmMethods):
    """Asks a service; use it in a `with` statement, or close it at the end.

    Every method raises `AnswerError` if the service answers with an error, and `ServiceError`, the
    base of that, if it does not answer.

    Args:
        url: Address of the service, as in `http://127.0.0.1:8000`.
        key: API key; None where the service asks for none.
        http: Carries the requests, with certificates, a proxy or time limits of your own.

    Raises:
        SpecError: The address is none.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        key: str | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._service = Connection(url, key, http)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def predict(
        self,
        equipment_id: str,
        frame: pd.DataFrame | None = None,
        *,
        start: datetime | None = None,
        store: bool = False,
    ) -> Diagnosis:
        """Diagnose one window of a machine.

        Args:
            equipment_id: The machine.
            frame: The window: a column a sensor, rows at even steps by their time with zone, in the
                machine file's units, NaN where a sample is missing. None: the telemetry is in the
                service's database.
            start: Start of the window; None: the frame's first time.
            store: Whether the service saves the answer in its database.

        Raises:
            SpecError: The frame is not accepted, or neither it nor a start is given.
        """
        if frame is None and start is None:
            raise SpecError("Client.predict: expected a frame, or the start of a window")
        signals = None if frame is None else signals_of(frame)
        if start is None and frame is not None:
            start = frame.index[0].to_pydatetime()
        request = {
            "equipment_id": equipment_id,
            "start": start,
            "signals": signals,
            "store": store,
        }
        body = validate(DiagnoseRequest, request)
        return self._service.read(Diagnosis, "diagnose", body=body)

    def predict_batch(self, requests: Sequence[DiagnoseRequest]) -> list[Diagnosis | Problem]:
        """Diagnose any number of windows; return the answer or the problem of each, in order."""
        found: list[Diagnosis | Problem] = []
        for first in range(0, len(requests), _BATCH):
            items = [each.model_dump(mode="json") for each in requests[first : first + _BATCH]]
            answer = self._service.read(
                BatchAnswer, "diagnose/batch", body=BatchRequest(items=items)
            )
            found += [each.diagnosis or each.problem for each in answer.results]  # type: ignore[misc]
        return found

    def machines(self) -> list[EquipmentSummary]:
        """List the machines."""
        return self._service.read(list[EquipmentSummary], "equipment")

    def machine(self, equipment_id: str) -> EquipmentDetail:
        """Show a machine and its last diagnosis."""
        return self._service.read(EquipmentDetail, _path(equipment_id))

    def save_machine(self, machine: Machine) -> EquipmentSummary:
        """Save a machine, or its new state."""
        return self._service.read(EquipmentSummary, "equipment", body=machine)

    def check_topology(self, topology: dict[str, object]) -> TopologyVerdict:
        """List all faults of a topology, and tell whether the active model can read it."""
        body = TopologyRequest(topology=topology)
        return self._service.read(TopologyVerdict, "topologies/validate", body=body)

    def reference(self, equipment_id: str) -> EquipmentReference:
        """Show the reference windows that a machine was given."""
        return self._service.read(EquipmentReference, _path(equipment_id, "reference"))

    def save_reference(self, equipment_id: str, windows: ReferenceRequest) -> ReferenceVerdict:
        """Save windows from a time when a machine was known to be sound, in place of others."""
        path = _path(equipment_id, "reference")
        return self._service.read(ReferenceVerdict, path, body=windows, method="PUT")

    def remove_reference(self, equipment_id: str) -> None:
        """Remove the reference windows that a machine was given."""
        self._service.send(_path(equipment_id, "reference"), method="DELETE")

    def models(self) -> list[ModelSummary]:
        """List the bundles at hand."""
        return self._service.read(list[ModelSummary], "models")

    def activate(self, version: str) -> State:
        """Answer by another bundle from now on."""
        return self._service.read(State, path_of("models", version, "activate"), method="POST")
