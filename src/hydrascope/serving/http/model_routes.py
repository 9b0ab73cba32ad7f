"""Routes of models."""

from fastapi import APIRouter

from hydrascope.serving.http.dependencies import CanManage, CanRead, CurrentService
from hydrascope.serving.http.problems import ProblemError, responses
from hydrascope.serving.http.strict_json import StrictRoute
from hydrascope.serving.http.views import ModelSummary, State

router = APIRouter(prefix="/v1/models", route_class=StrictRoute, tags=["models"])


@router.get("", responses=responses(401, 403))
async def list_models(_: CanRead, service: CurrentService) -> list[ModelSummary]:
    """List the bundles at hand."""
    active = service.models.active.version
    return [
        ModelSummary(version=version, active=version == active, manifest=manifest)
        for version, manifest in (await service.models.manifests()).items()
    ]


@router.post("/{version}/activate", responses=responses(401, 403, 404, 422))
async def activate(_: CanManage, service: CurrentService, version: str) -> State:
    """Answer by another bundle from now on; no request is lost."""
    if version not in await service.models.manifests():
        raise ProblemError(404, "There is no such model at hand.")
    await service.models.activate(version)
    return State(status="active", model=service.models.active.version)
