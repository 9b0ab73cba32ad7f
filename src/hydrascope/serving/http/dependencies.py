"""Dependencies of routes: the service, the client's key, the machine of a path."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from hydrascope.monitoring.alarm import Alarm
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.access.api_keys import ApiKey, Scope
from hydrascope.serving.http.problems import ProblemError
from hydrascope.serving.service import Service

if TYPE_CHECKING:
    from hydrascope.serving.monitor import Monitor
else:
    Monitor = object  # its module needs an extra, and FastAPI looks at annotations

HIGHEST_ID = 2**63 - 1
"""Of an alarm or a silence."""
_BEARER = HTTPBearer(auto_error=False, description="An API key; python -m hydrascope key")


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


CurrentService = Annotated[Service, Depends(_service)]


def _key_with(scope: Scope) -> Callable[..., Awaitable[ApiKey]]:
    """Return a dependency: the key of a request, which has this scope."""

    async def check(
        request: Request,
        service: CurrentService,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> ApiKey:
        key = service.api_keys.find(given.credentials if given else None)
        if key is None:
            challenge = {"WWW-Authenticate": "Bearer"}
            raise ProblemError(401, "A valid API key is required.", headers=challenge)
        if scope not in key.scopes:
            raise ProblemError(403, f"The key lacks the scope {scope.value!r}.")
        request.state.key = key.name
        return key

    return check


CanDiagnose = Annotated[ApiKey, Depends(_key_with(Scope.DIAGNOSE))]
CanRead = Annotated[ApiKey, Depends(_key_with(Scope.READ))]
CanManage = Annotated[ApiKey, Depends(_key_with(Scope.MANAGE))]
CanOperate = Annotated[ApiKey, Depends(_key_with(Scope.OPERATE))]


async def _machine(service: CurrentService, equipment_id: str) -> Machine:
    try:
        return await service.equipment.get(equipment_id)
    except SpecError:
        raise ProblemError(404, "There is no such machine.") from None


PathMachine = Annotated[Machine, Depends(_machine)]
"""The machine of `{equipment_id}`; declared after the key, which is checked first."""


async def _monitor(service: CurrentService) -> Monitor:
    if service.monitor is None:
        raise ProblemError(404, "This needs a database; start the service with database=URL.")
    return service.monitor


CurrentMonitor = Annotated[Monitor, Depends(_monitor)]


async def _alarm(
    monitor: CurrentMonitor, alarm_id: Annotated[int, Path(ge=1, le=HIGHEST_ID)]
) -> Alarm:
    try:
        return await monitor.alarms.get(alarm_id)
    except SpecError:
        raise ProblemError(404, "There is no such alarm.") from None


PathAlarm = Annotated[Alarm, Depends(_alarm)]
"""The alarm of `{alarm_id}`; declared after the key, which is checked first."""


def limit_rate(service: Service, key: ApiKey, windows: int) -> None:
    """Take a token of the key's rate limit for each window.

    Raises:
        ProblemError: There are too few.
    """
    wait_s = service.rate_limiter.acquire(key.name, windows)
    if wait_s:
        retry = str(max(1, round(wait_s)))
        raise ProblemError(429, "The key's rate limit is reached.", headers={"Retry-After": retry})
