"""The ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from hydrascope import __version__
from hydrascope.serving.http import (
    alarm_routes,
    api_page_routes,
    diagnosis_routes,
    equipment_routes,
    event_routes,
    history_routes,
    model_routes,
    operation_routes,
    page_routes,
    reference_routes,
)
from hydrascope.serving.http.admission import AdmissionMiddleware
from hydrascope.serving.http.bodies import Bounds
from hydrascope.serving.http.problems import install_handlers
from hydrascope.serving.observability.tracing import flush_traces
from hydrascope.serving.service import Service


def create_app(service: Service) -> FastAPI:
    """Return the application of a running service; it stops the service at its own end."""
    settings = service.settings

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await service.stop()
            await flush_traces()

    app = FastAPI(
        title="Hydrascope",
        version=__version__,
        description="Diagnoses hydraulic machines from windows of their telemetry.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads scripts from other sites; `api_page_routes` has ours
        redoc_url=None,
    )
    app.state.service = service
    install_handlers(app)
    for routes in (
        diagnosis_routes,
        equipment_routes,
        reference_routes,
        model_routes,
        history_routes,
        alarm_routes,
        event_routes,
        operation_routes,
        page_routes,
        api_page_routes,
    ):
        app.include_router(routes.router)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["authorization", "content-type"],
        )
    app.add_middleware(
        AdmissionMiddleware,
        bounds=Bounds(
            int(settings.max_body_mb * 1e6), int(settings.max_bodies_mb * 1e6), settings.body_s
        ),
        refusal=service.refusal,
        metrics=service.metrics,
    )
    return app
