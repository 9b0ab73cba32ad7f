"""The HTTP service: routes, who may use them, and what they look like in OpenAPI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from hydrascope import __version__
from hydrascope.serving.doorkeeper import Doorkeeper
from hydrascope.serving.problems import install
from hydrascope.serving.routes import routes
from hydrascope.serving.service import Service
from hydrascope.serving.tracing import flush_traces


def create_app(service: Service) -> FastAPI:
    """Return the HTTP side of a running service, which it stops when it ends itself."""
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
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
    )
    app.state.service = service
    install(app)
    app.include_router(routes(service))
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["authorization", "content-type"],
        )
    app.add_middleware(
        Doorkeeper,
        max_body=int(settings.max_body_mb * 1e6),
        refusal=service.refusal,
        metrics=service.metrics,
    )
    return app
