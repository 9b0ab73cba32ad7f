"""Routes of operation: health, metrics and the page for people."""

from importlib import resources

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from hydrascope.serving.engine.breaker import BreakerState
from hydrascope.serving.http.dependencies import CanRead, CurrentService
from hydrascope.serving.http.problems import ProblemError, responses
from hydrascope.serving.http.views import State

router = APIRouter(tags=["operation"])
_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
)


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


@router.get("/", include_in_schema=False)
async def page() -> HTMLResponse:
    """Return the page, which may load nothing from elsewhere."""
    content = resources.files("hydrascope.serving.http").joinpath("page.html").read_text("utf-8")
    return HTMLResponse(content, headers={"Content-Security-Policy": _PAGE_POLICY})
