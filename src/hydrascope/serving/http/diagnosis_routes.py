"""Routes of diagnoses."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body
from starlette.responses import Response

from hydrascope.schemas.errors import validate
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.diagnosis.requests import BatchRequest, DiagnoseRequest
from hydrascope.serving.http.dependencies import CanDiagnose, CurrentService, limit_rate
from hydrascope.serving.http.problems import BUSY, REFUSED, problem_of, responses
from hydrascope.serving.http.strict_json import StrictRoute
from hydrascope.serving.http.views import BatchAnswer, BatchItem

router = APIRouter(route_class=StrictRoute, tags=["diagnosis"])
_EXAMPLE = {
    "equipment_id": "zema",
    "start": "2026-01-01T00:00:00Z",
    "signals": {"PS1": {"values": [150.2, 150.9, None, 151.4], "rate_hz": 1.0, "unit": "bar"}},
}


@router.post("/v1/diagnose", responses=responses(*REFUSED, *BUSY))
async def diagnose(
    key: CanDiagnose,
    service: CurrentService,
    request: Annotated[DiagnoseRequest, Body(openapi_examples={"inline": {"value": _EXAMPLE}})],
) -> Diagnosis:
    """Diagnose one window of one machine."""
    limit_rate(service, key, 1)
    answer = await service.diagnose(request)
    # Serialised here: FastAPI would validate it again, which takes as long as all else.
    return Response(answer.model_dump_json(), media_type="application/json")  # type: ignore[return-value]


@router.post("/v1/diagnose/batch", responses=responses(*REFUSED, *BUSY))
async def diagnose_batch(
    key: CanDiagnose,
    service: CurrentService,
    request: Annotated[
        BatchRequest, Body(openapi_examples={"one": {"value": {"items": [_EXAMPLE]}}})
    ],
) -> BatchAnswer:
    """Diagnose up to 100 windows; an error in one does not affect the others."""
    limit_rate(service, key, len(request.items))
    concurrency = asyncio.Semaphore(service.settings.max_batch)

    async def answer(index: int, item: object) -> BatchItem:
        try:
            checked = validate(DiagnoseRequest, item, source=f"items[{index}]")
            async with concurrency:
                return BatchItem(index=index, diagnosis=await service.diagnose(checked))
        except Exception as error:  # noqa: BLE001 (it is the item's answer)
            return BatchItem(index=index, problem=problem_of(error).problem)

    items = [answer(index, item) for index, item in enumerate(request.items)]
    return BatchAnswer(results=await asyncio.gather(*items))
