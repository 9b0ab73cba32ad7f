"""The routes: what can be asked, who may, and how it looks in OpenAPI."""

import asyncio
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Body
from starlette.responses import HTMLResponse, Response

from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.machine import Machine
from hydrascope.serving.access import (
    BUSY,
    FAULTY,
    REFUSED,
    CanDiagnose,
    CanManage,
    CanRead,
    take,
)
from hydrascope.serving.answers import Diagnosis
from hydrascope.serving.breaker import BreakerState
from hydrascope.serving.problems import ProblemError, documented, problem_of
from hydrascope.serving.reference_routes import reference_routes
from hydrascope.serving.requests import (
    BatchRequest,
    DiagnoseRequest,
    TopologyRequest,
    topology_faults,
)
from hydrascope.serving.service import Service
from hydrascope.serving.strict_json import StrictRoute
from hydrascope.serving.views import (
    BatchAnswer,
    BatchItem,
    EquipmentDetail,
    EquipmentSummary,
    ModelSummary,
    ShownSignal,
    State,
    TopologyVerdict,
    findings,
    thinned,
)

_EXAMPLE = {
    "equipment_id": "zema",
    "start": "2026-01-01T00:00:00Z",
    "signals": {"PS1": {"values": [150.2, 150.9, None, 151.4], "rate_hz": 1.0, "unit": "bar"}},
}


def routes(service: Service) -> APIRouter:
    """Return all routes of a service."""
    router = APIRouter(route_class=StrictRoute)

    @router.post("/v1/diagnose", responses=documented(*REFUSED, *BUSY), tags=["diagnosis"])
    async def diagnose(
        key: CanDiagnose,
        request: Annotated[DiagnoseRequest, Body(openapi_examples={"inline": {"value": _EXAMPLE}})],
    ) -> Diagnosis:
        """Diagnose one window of one machine."""
        take(service, key, 1)
        answer = await service.diagnose(request)
        # Written at once: checking it against its own model again would take as long as all else.
        return Response(answer.model_dump_json(), media_type="application/json")  # type: ignore[return-value]

    @router.post("/v1/diagnose/batch", responses=documented(*REFUSED, *BUSY), tags=["diagnosis"])
    async def diagnose_batch(
        key: CanDiagnose,
        request: Annotated[
            BatchRequest, Body(openapi_examples={"one": {"value": {"items": [_EXAMPLE]}}})
        ],
    ) -> BatchAnswer:
        """Diagnose up to 100 windows; what is wrong with one leaves the others alone."""
        take(service, key, len(request.items))
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
    async def list_equipment(_: CanRead) -> list[EquipmentSummary]:
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
                    findings=len(findings(last.diagnosis)) if last else None,
                )
            )
        return summaries

    @router.get(
        "/v1/equipment/{equipment_id}", responses=documented(401, 403, 404, 503), tags=["fleet"]
    )
    async def show_equipment(_: CanRead, equipment_id: str) -> EquipmentDetail:
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
            findings=findings(last.diagnosis) if last else [],
            signals={
                name: ShownSignal(unit=units[name], values=thinned(signal.values))
                for name, signal in signals.items()
                if name in units
            },
        )

    @router.post(
        "/v1/equipment", status_code=201, responses=documented(*REFUSED, *FAULTY), tags=["fleet"]
    )
    async def add_equipment(_: CanManage, machine: Machine) -> EquipmentSummary:
        """Keep a machine, or its new state; the content of a machine file."""
        try:
            await service.engine.check(machine)
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

    router.include_router(reference_routes(service))

    @router.post("/v1/topologies/validate", responses=documented(*REFUSED, *FAULTY), tags=["fleet"])
    async def validate_topology(_: CanRead, request: TopologyRequest) -> TopologyVerdict:
        """Say everything that is wrong with a topology, and whether the active model reads it."""
        faults = topology_faults(request.topology)
        readable = not faults
        if readable:
            plain = {
                "equipment": {"equipment_id": "checked", "name": "checked"},
                "topology": request.topology,
            }
            try:
                await service.engine.check(validate(Machine, plain))
            except SpecError as error:
                return TopologyVerdict(valid=True, readable=False, faults=[str(error)])
        return TopologyVerdict(valid=readable, readable=readable, faults=faults)

    @router.get("/v1/models", responses=documented(401, 403), tags=["models"])
    async def list_models(_: CanRead) -> list[ModelSummary]:
        """List the bundles at hand."""
        active = service.shelf.active.version
        return [
            ModelSummary(version=version, active=version == active, manifest=manifest)
            for version, manifest in (await service.shelf.all()).items()
        ]

    @router.post(
        "/v1/models/{version}/activate", responses=documented(401, 403, 404, 422), tags=["models"]
    )
    async def activate(_: CanManage, version: str) -> State:
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
    async def readyz() -> State:
        """Say whether it is worth asking."""
        if not service.ready or service.engine.breaker.state is BreakerState.OPEN:
            raise ProblemError(503, "Not ready.", headers={"Retry-After": "1"})
        return State(status="ready", model=service.shelf.active.version)

    @router.get("/metrics", responses=documented(401, 403), tags=["operation"])
    async def metrics(_: CanRead) -> Response:
        """Return what Prometheus reads."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    @router.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        content = resources.files("hydrascope.serving").joinpath("page.html").read_text("utf-8")
        policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        policy += "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
        return HTMLResponse(content, headers={"Content-Security-Policy": policy})

    return router
