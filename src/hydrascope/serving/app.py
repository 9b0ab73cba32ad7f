"""The HTTP service: routes, who may use them, and what they look like in OpenAPI."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from importlib import resources
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Body, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from pydantic_core import from_json
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, Response

from hydrascope import __version__
from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.machine import Machine
from hydrascope.serving.answers import Diagnosis
from hydrascope.serving.breaker import BreakerState
from hydrascope.serving.doorkeeper import Doorkeeper
from hydrascope.serving.keys import ApiKey, Scope
from hydrascope.serving.problems import Problem, ProblemError, documented, install, problem_of
from hydrascope.serving.requests import (
    BatchRequest,
    DiagnoseRequest,
    TopologyRequest,
    topology_faults,
)
from hydrascope.serving.service import Service

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SHOWN_SAMPLES = 200
"""Of each signal that the page draws."""
_EXAMPLE = {
    "equipment_id": "zema",
    "start": "2026-01-01T00:00:00Z",
    "signals": {"PS1": {"values": [150.2, 150.9, None, 151.4], "rate_hz": 1.0, "unit": "bar"}},
}


class _StrictRequest(Request):
    """Reads JSON as RFC 8259 has it: no NaN, no Infinity, no abyss of brackets."""

    async def json(self) -> Any:
        body = await self.body()
        deepest = depth = 0
        # Brackets in strings count too, which no honest request notices; what a dishonest one
        # hides behind them, the parser refuses at 200 levels.
        for bracket in body.translate(None, _NO_BRACKETS):
            depth += 1 if bracket in b"[{" else -1
            deepest = max(deepest, depth)
        limit: int = self.app.state.service.settings.max_depth
        if deepest > limit:
            raise ProblemError(400, f"The body nests {deepest} levels deep; accepted: {limit}.")
        try:
            return from_json(body, allow_inf_nan=False)
        except ValueError as error:
            raise ProblemError(400, f"The body is not JSON: {error}.") from None


class _StrictRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict


class EquipmentSummary(BaseModel):
    """One machine of the fleet, at a glance."""

    equipment_id: str
    name: str
    topology: str
    health: float | None
    """Of the last window that this process was asked about; null without one."""
    findings: int | None
    """Components and machine heads that are not sound, of the same window."""


class ShownSignal(BaseModel):
    """A signal, thinned out for people."""

    unit: str
    values: list[float | None]


class EquipmentDetail(BaseModel):
    """One machine, with the last window that this process was asked about."""

    machine: Machine
    diagnosis: Diagnosis | None
    findings: list[str]
    signals: dict[str, ShownSignal]


class ModelSummary(BaseModel):
    """One bundle at hand."""

    version: str
    active: bool
    manifest: Manifest


class BatchItem(BaseModel):
    """The answer to one item: a diagnosis, or what is wrong."""

    index: int
    diagnosis: Diagnosis | None = None
    problem: Problem | None = None


class BatchAnswer(BaseModel):
    """An answer for each item, in their order."""

    results: list[BatchItem]


class TopologyVerdict(BaseModel):
    """Whether a topology is sound, and whether the active model can read it."""

    valid: bool
    readable: bool
    faults: list[str]


class State(BaseModel):
    """How the service is."""

    status: str
    version: str = __version__
    model: str | None = None


def create_app(service: Service) -> FastAPI:
    """Return the HTTP side of a running service, which it stops when it ends itself."""
    settings = service.settings

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await service.stop()

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
    app.include_router(_routes())
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type"],
        )
    app.add_middleware(
        Doorkeeper,
        max_body=int(settings.max_body_mb * 1e6),
        refusal=service.refusal,
        metrics=service.metrics,
    )
    return app


async def _service(request: Request) -> Service:  # not async, it would run in a thread
    service: Service = request.app.state.service
    return service


_BEARER = HTTPBearer(auto_error=False, description="An API key; python -m hydrascope key")


def _may(scope: Scope) -> Callable[..., Awaitable[ApiKey]]:
    """Return the check that a request brings a key with this scope."""

    async def check(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> ApiKey:
        service: Service = request.app.state.service
        key = service.keys.find(given.credentials if given else None)
        if key is None:
            detail = "A valid API key is required."
            raise ProblemError(401, detail, headers={"WWW-Authenticate": "Bearer"})
        if scope not in key.scopes:
            raise ProblemError(403, f"The key lacks the scope {scope.value!r}.")
        request.state.key = key.name
        return key

    return check


Services = Annotated[Service, Depends(_service)]
CanDiagnose = Annotated[ApiKey, Depends(_may(Scope.DIAGNOSE))]
CanRead = Annotated[ApiKey, Depends(_may(Scope.READ))]
CanManage = Annotated[ApiKey, Depends(_may(Scope.MANAGE))]
_REFUSED = (400, 401, 403, 413, 422)
_BUSY = (429, 500, 503, 504)


def _take(service: Service, key: ApiKey, windows: int) -> None:
    """Take tokens of a key's rate limit.

    Raises:
        ProblemError: There are not enough.
    """
    wait_s = service.rate.wait_s(key.name, windows)
    if wait_s:
        retry = {"Retry-After": str(max(1, round(wait_s)))}
        raise ProblemError(429, "The key's rate limit is reached.", headers=retry)


def _routes() -> APIRouter:
    router = APIRouter(route_class=_StrictRoute)

    @router.post("/v1/diagnose", responses=documented(*_REFUSED, *_BUSY), tags=["diagnosis"])
    async def diagnose(
        service: Services,
        key: CanDiagnose,
        request: Annotated[DiagnoseRequest, Body(openapi_examples={"inline": {"value": _EXAMPLE}})],
    ) -> Diagnosis:
        """Diagnose one window of one machine."""
        _take(service, key, 1)
        answer = await service.diagnose(request)
        # Written at once: checking it against its own model again would take as long as all else.
        return Response(answer.model_dump_json(), media_type="application/json")  # type: ignore[return-value]

    @router.post("/v1/diagnose/batch", responses=documented(*_REFUSED, *_BUSY), tags=["diagnosis"])
    async def diagnose_batch(
        service: Services,
        key: CanDiagnose,
        request: Annotated[
            BatchRequest, Body(openapi_examples={"one": {"value": {"items": [_EXAMPLE]}}})
        ],
    ) -> BatchAnswer:
        """Diagnose up to 100 windows; what is wrong with one leaves the others alone."""
        _take(service, key, len(request.items))
        room = asyncio.Semaphore(service.settings.max_batch)

        async def one(index: int, item: object) -> BatchItem:
            try:
                checked = validate(DiagnoseRequest, item, source=f"items[{index}]")
                async with room:
                    return BatchItem(index=index, diagnosis=await service.diagnose(checked))
            except Exception as error:  # noqa: BLE001 (it is the item's answer)
                return BatchItem(index=index, problem=problem_of(error).problem)

        items = [one(index, item) for index, item in enumerate(request.items)]
        return BatchAnswer(results=await asyncio.gather(*items))

    @router.get("/v1/equipment", responses=documented(401, 403, 503), tags=["fleet"])
    async def list_equipment(service: Services, _: CanRead) -> list[EquipmentSummary]:
        """List the machines, with how they were when last asked about."""
        summaries = []
        for equipment_id, machine in (await service.fleet.all()).items():
            last = service.latest.get(equipment_id)
            summaries.append(
                EquipmentSummary(
                    equipment_id=equipment_id,
                    name=machine.equipment.name,
                    topology=machine.topology.id,
                    health=last.diagnosis.health if last else None,
                    findings=len(_findings(last.diagnosis)) if last else None,
                )
            )
        return summaries

    @router.get(
        "/v1/equipment/{equipment_id}", responses=documented(401, 403, 404, 503), tags=["fleet"]
    )
    async def show_equipment(service: Services, _: CanRead, equipment_id: str) -> EquipmentDetail:
        """Show one machine, its last diagnosis and the signals that it was made of."""
        try:
            machine = await service.fleet.get(equipment_id)
        except SpecError:
            raise ProblemError(404, "There is no such machine.") from None
        last = service.latest.get(equipment_id)
        units = {sensor.id: sensor.unit for _, sensor in machine.topology.sensors}
        signals = last.window.signals if last else {}
        return EquipmentDetail(
            machine=machine,
            diagnosis=last.diagnosis if last else None,
            findings=_findings(last.diagnosis) if last else [],
            signals={
                name: ShownSignal(unit=units[name], values=_thinned(signal.values))
                for name, signal in signals.items()
                if name in units
            },
        )

    @router.post(
        "/v1/equipment", status_code=201, responses=documented(*_REFUSED, 503), tags=["fleet"]
    )
    async def add_equipment(service: Services, _: CanManage, machine: Machine) -> EquipmentSummary:
        """Keep a machine, or its new state; the content of a machine file."""
        try:
            service.engine.model.check(machine)
        except SpecError as error:
            raise SpecError(f"topology: {error}") from None
        await service.fleet.save(machine)
        service.latest.pop(machine.equipment.equipment_id, None)
        return EquipmentSummary(
            equipment_id=machine.equipment.equipment_id,
            name=machine.equipment.name,
            topology=machine.topology.id,
            health=None,
            findings=None,
        )

    @router.post("/v1/topologies/validate", responses=documented(*_REFUSED), tags=["fleet"])
    async def validate_topology(
        service: Services, _: CanRead, request: TopologyRequest
    ) -> TopologyVerdict:
        """Say everything that is wrong with a topology, and whether the active model reads it."""
        faults = topology_faults(request.topology)
        readable = not faults
        if readable:
            plain = {
                "equipment": {"equipment_id": "checked", "name": "checked"},
                "topology": request.topology,
            }
            try:
                service.engine.model.check(validate(Machine, plain))
            except SpecError as error:
                return TopologyVerdict(valid=True, readable=False, faults=[str(error)])
        return TopologyVerdict(valid=readable, readable=readable, faults=faults)

    @router.get("/v1/models", responses=documented(401, 403), tags=["models"])
    async def list_models(service: Services, _: CanRead) -> list[ModelSummary]:
        """List the bundles at hand."""
        active = service.shelf.active.version
        return [
            ModelSummary(version=version, active=version == active, manifest=manifest)
            for version, manifest in (await service.shelf.all()).items()
        ]

    @router.post(
        "/v1/models/{version}/activate", responses=documented(401, 403, 404, 422), tags=["models"]
    )
    async def activate(service: Services, _: CanManage, version: str) -> State:
        """Let another bundle answer from now on; without a request being lost."""
        if version not in await service.shelf.all():
            raise ProblemError(404, "There is no such model at hand.")
        await service.shelf.activate(version)
        return State(status="active", model=service.shelf.active.version)

    @router.get("/healthz", tags=["operation"])
    async def healthz() -> State:
        """Say that the process lives."""
        return State(status="alive")

    @router.get("/readyz", responses=documented(503), tags=["operation"])
    async def readyz(service: Services) -> State:
        """Say whether it is worth asking."""
        if not service.ready or service.engine.breaker.state is BreakerState.OPEN:
            raise ProblemError(503, "Not ready.", headers={"Retry-After": "1"})
        return State(status="ready", model=service.shelf.active.version)

    @router.get("/metrics", responses=documented(401, 403), tags=["operation"])
    async def metrics(service: Services, _: CanRead) -> Response:
        """Return what Prometheus reads."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    @router.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        content = resources.files("hydrascope.serving").joinpath("page.html").read_text("utf-8")
        policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        policy += "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
        return HTMLResponse(content, headers={"Content-Security-Policy": policy})

    return router


def _findings(answer: Diagnosis) -> list[str]:
    """Return what is not sound, a line each: raised flags, classes that are not healthy."""
    places = {"machine": answer.machine, **answer.components}
    lines = []
    for place, heads in places.items():
        for head, found in heads.items():
            if found.flags:
                lines.append(f"{place}: {head}: {', '.join(found.flags)}")
            elif found.health is not None and found.health < 0.5:
                lines.append(f"{place}: {head}: {found.outcome}")
    return lines


def _thinned(values: "np.ndarray[Any, np.dtype[np.float32]]") -> list[float | None]:
    step = max(1, -(-len(values) // _SHOWN_SAMPLES))
    return [None if np.isnan(each) else float(each) for each in values[::step]]
