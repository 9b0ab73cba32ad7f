"""A stream of what changes, as server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
import logging
from collections.abc import AsyncIterator

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.responses import StreamingResponse

from hydrascope.schemas.errors import ServiceError
from hydrascope.serving.http.dependencies import CanRead, CurrentMonitor, CurrentService
from hydrascope.serving.http.history_views import alarm_view
from hydrascope.serving.http.problems import responses

router = APIRouter(tags=["history"])
_PAUSE_S = 2.0
"""Time between two looks."""
_LOG = logging.getLogger(__name__)


@router.get(
    "/v1/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Events, until either leaves."},
        **responses(401, 403, 404, 503),
    },
)
async def stream_events(
    _: CanRead, service: CurrentService, monitor: CurrentMonitor
) -> StreamingResponse:
    """Tell of alarms that change (`alarm`) and of windows that a watch diagnosed (`diagnosis`)."""
    place = await monitor.news.now()

    async def events() -> AsyncIterator[bytes]:
        nonlocal place
        yield b"retry: 5000\n\n"
        while service.ready:
            await asyncio.sleep(_PAUSE_S)
            try:
                news = await monitor.news.since(place)
            except ServiceError as error:
                _LOG.warning("no events: %s", error)
                return  # the client asks again
            place = news.place
            for alarm in news.alarms:
                yield b"event: alarm\ndata: " + to_json(alarm_view(alarm)) + b"\n\n"
            for each in news.diagnosed:
                yield b"event: diagnosis\ndata: " + to_json(each) + b"\n\n"
            if not (news.alarms or news.diagnosed):
                yield b": nothing new\n\n"  # notices that the client has left

    return StreamingResponse(
        events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )
