"""Routes of machines and topologies."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter

from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.topology import GraphTopology
from hydrascope.serving.diagnosis.requests import FewFaults, TopologyRequest
from hydrascope.serving.http.dependencies import CanManage, CanRead, CurrentService, PathMachine
from hydrascope.serving.http.problems import FAULTY, REFUSED, responses
from hydrascope.serving.http.strict_json import MachineRoute
from hydrascope.serving.http.views import (
    EquipmentDetail,
    EquipmentSummary,
    ShownSignal,
    TopologyVerdict,
    doubts,
    downsample,
    findings,
)
from hydrascope.serving.service import Latest

router = APIRouter(route_class=MachineRoute, tags=["fleet"])


@router.get("/v1/equipment", responses=responses(401, 403, 503))
async def list_equipment(_: CanRead, service: CurrentService) -> list[EquipmentSummary]:
    """List the machines, each with the health of its last diagnosis."""
    return [
        _summary(machine, service.latest.get(equipment_id))
        for equipment_id, machine in (await service.equipment.all()).items()
    ]


@router.get("/v1/equipment/{equipment_id}", responses=responses(401, 403, 404, 503))
async def show_equipment(
    _: CanRead, service: CurrentService, machine: PathMachine
) -> EquipmentDetail:
    """Show one machine, its last diagnosis and the signals that it was made of."""
    last = service.latest.get(machine.equipment.equipment_id)
    units = {sensor.id: sensor.unit for _, sensor in machine.topology.sensors}
    signals = last.window.signals if last else {}
    return EquipmentDetail(
        machine=machine,
        diagnosis=last.diagnosis if last else None,
        findings=findings(last.diagnosis) if last else [],
        cannot_tell=doubts(last.diagnosis) if last else [],
        signals={
            name: ShownSignal(unit=units[name], values=downsample(signal.values))
            for name, signal in signals.items()
            if name in units
        },
    )


@router.post("/v1/equipment", status_code=201, responses=responses(*REFUSED, *FAULTY))
async def add_equipment(
    _: CanManage, service: CurrentService, machine: Annotated[Machine, FewFaults]
) -> EquipmentSummary:
    """Save a machine, or its new state; the body is the content of a machine file."""
    try:
        await service.engine.check(machine)
    except SpecError as error:
        raise SpecError(str(error), path="topology") from None
    await service.equipment.save(machine)
    service.latest.pop(machine.equipment.equipment_id, None)
    return _summary(machine, None)


@router.post("/v1/topologies/validate", responses=responses(*REFUSED, *FAULTY))
async def validate_topology(
    _: CanRead, service: CurrentService, request: TopologyRequest
) -> TopologyVerdict:
    """List all faults of a topology, and tell whether the active model can read it."""
    if faults := _topology_faults(request.topology):
        return TopologyVerdict(valid=False, readable=False, faults=faults)
    equipment = {"equipment_id": "checked", "name": "checked"}
    machine = validate(Machine, {"equipment": equipment, "topology": request.topology})
    try:
        await service.engine.check(machine)
    except SpecError as error:
        return TopologyVerdict(valid=True, readable=False, faults=[str(error)])
    return TopologyVerdict(valid=True, readable=True, faults=[])


def _summary(machine: Machine, last: Latest | None) -> EquipmentSummary:
    return EquipmentSummary(
        equipment_id=machine.equipment.equipment_id,
        name=machine.equipment.name,
        topology=machine.topology.id,
        health=last.diagnosis.health if last else None,
        findings=len(findings(last.diagnosis)) if last else None,
        cannot_tell=len(doubts(last.diagnosis)) if last else None,
    )


def _topology_faults(content: Mapping[str, Any]) -> list[str]:
    """Return all faults of a topology, a line each."""
    try:
        validate(GraphTopology, dict(content), source="topology")
    except SpecError as error:
        return [str(fault) for fault in error.faults]
    return []
