"""Routes of operation: health and metrics."""

from fastapi import APIRouter
from starlette.responses import Response

from hydrascope.serving.engine.breaker import BreakerState
from hydrascope.serving.http.dependencies import CanRead, CurrentService
from hydrascope.serving.http.problems import ProblemError, responses
from hydrascope.serving.http.views import State

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def healthz() -> State:
    """Say that the process is alive."""
    return State(status="alive")


@router.get("/readyz", responses=responses(503))
async def readyz(service: CurrentService) -> State:
    """Say whether requests are accepted."""
    if not service.ready or service.engine.breaker.state is BreakerState.OPEN:
        raise ProblemError(503, "Not ready.", headers={"Retry-After": "1"})
    return State(status="ready", model=service.models.active.version)


@router.get("/metrics", responses=responses(401, 403))
async def metrics(_: CanRead, service: CurrentService) -> Response:
    """Return the metrics for Prometheus."""
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")
