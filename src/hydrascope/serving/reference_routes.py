"""The routes of what machines were like when they were sound."""

from typing import Annotated

from fastapi import APIRouter, Body
from starlette.responses import Response

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.access import BUSY, REFUSED, CanManage, CanRead, take
from hydrascope.serving.problems import ProblemError, documented
from hydrascope.serving.references import (
    EquipmentReference,
    ReferenceVerdict,
    kept_windows,
    silent,
)
from hydrascope.serving.requests import ReferenceRequest
from hydrascope.serving.service import Service
from hydrascope.serving.strict_json import StrictRoute

_PATH = "/v1/equipment/{equipment_id}/reference"
_EXAMPLE = {
    "windows": [
        {
            "start": "2026-01-01T00:00:00Z",
            "signals": {"PS1": {"values": [150.2, 150.9, None, 151.4], "rate_hz": 1.0}},
        }
    ]
}


def reference_routes(service: Service) -> APIRouter:
    """Return the routes of a service's references."""
    router = APIRouter(route_class=StrictRoute)

    async def machine_of(equipment_id: str) -> Machine:
        try:
            return await service.fleet.get(equipment_id)
        except SpecError:
            raise ProblemError(404, "There is no such machine.") from None

    @router.put(_PATH, responses=documented(*REFUSED, 404, *BUSY), tags=["fleet"])
    async def give_reference(
        key: CanManage,
        equipment_id: str,
        request: Annotated[ReferenceRequest, Body(openapi_examples={"one": {"value": _EXAMPLE}})],
    ) -> ReferenceVerdict:
        """Keep windows from a time when the machine was known to be sound.

        They take the place of those that were given before, and of the bundle's own reference.
        """
        take(service, key, len(request.windows))
        return await service.give_reference(await machine_of(equipment_id), request)

    @router.get(_PATH, responses=documented(401, 403, 404, 503), tags=["fleet"])
    async def show_reference(_: CanRead, equipment_id: str) -> EquipmentReference:
        """Show the reference windows that a machine was given."""
        reference = await service.fleet.reference(await machine_of(equipment_id))
        if reference is None:
            raise ProblemError(404, "This machine was given no reference windows.")
        return EquipmentReference(
            equipment_id=equipment_id,
            window_s=reference.window_s,
            windows=kept_windows(reference),
            silent=silent(reference),
        )

    @router.delete(
        _PATH,
        status_code=204,
        response_class=Response,
        responses=documented(401, 403, 404, 503),
        tags=["fleet"],
    )
    async def remove_reference(_: CanManage, equipment_id: str) -> None:
        """Forget them; the bundle's own reference of the machine counts again, if there is one."""
        await machine_of(equipment_id)
        if not await service.fleet.remove_reference(equipment_id):
            raise ProblemError(404, "This machine was given no reference windows.")

    return router
