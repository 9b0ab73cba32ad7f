"""Routes of a machine's reference windows."""

from typing import Annotated

from fastapi import APIRouter, Body
from starlette.responses import Response

from hydrascope.serving.diagnosis.requests import ReferenceRequest
from hydrascope.serving.equipment.references import (
    EquipmentReference,
    ReferenceVerdict,
    dump_windows,
    silent_sensors,
)
from hydrascope.serving.http.dependencies import (
    CanManage,
    CanRead,
    CurrentService,
    PathMachine,
    limit_rate,
)
from hydrascope.serving.http.problems import BUSY, REFUSED, ProblemError, responses
from hydrascope.serving.http.strict_json import StrictRoute

router = APIRouter(
    prefix="/v1/equipment/{equipment_id}/reference", route_class=StrictRoute, tags=["fleet"]
)
_EXAMPLE = {
    "windows": [
        {
            "start": "2026-01-01T00:00:00Z",
            "signals": {"PS1": {"values": [150.2, 150.9, None, 151.4], "rate_hz": 1.0}},
        }
    ]
}


@router.put("", responses=responses(*REFUSED, 404, *BUSY))
async def give_reference(
    key: CanManage,
    service: CurrentService,
    machine: PathMachine,
    request: Annotated[ReferenceRequest, Body(openapi_examples={"one": {"value": _EXAMPLE}})],
) -> ReferenceVerdict:
    """Save windows from a time when the machine was known to be sound.

    They replace those that were given before, and take precedence over the bundle's reference.
    """
    limit_rate(service, key, len(request.windows))
    return await service.save_reference(machine, request)


@router.get("", responses=responses(401, 403, 404, 503))
async def show_reference(
    _: CanRead, service: CurrentService, machine: PathMachine
) -> EquipmentReference:
    """Show the reference windows that a machine was given."""
    reference = await service.equipment.reference(machine)
    if reference is None:
        raise _no_reference()
    return EquipmentReference(
        equipment_id=machine.equipment.equipment_id,
        window_s=reference.window_s,
        windows=dump_windows(reference),
        silent=silent_sensors(reference),
    )


@router.delete(
    "", status_code=204, response_class=Response, responses=responses(401, 403, 404, 503)
)
async def remove_reference(_: CanManage, service: CurrentService, machine: PathMachine) -> None:
    """Remove the given windows; the bundle's reference, if there is one, counts again."""
    if not await service.equipment.remove_reference(machine.equipment.equipment_id):
        raise _no_reference()


def _no_reference() -> ProblemError:
    return ProblemError(404, "This machine was given no reference windows.")
