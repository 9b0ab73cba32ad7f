"""Who may ask what, how much of it, and what is said to the others."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from hydrascope.serving.keys import ApiKey, Scope
from hydrascope.serving.problems import ProblemError
from hydrascope.serving.service import Service

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
            challenge = {"WWW-Authenticate": "Bearer"}
            raise ProblemError(401, "A valid API key is required.", headers=challenge)
        if scope not in key.scopes:
            raise ProblemError(403, f"The key lacks the scope {scope.value!r}.")
        request.state.key = key.name
        return key

    return check


CanDiagnose = Annotated[ApiKey, Depends(_may(Scope.DIAGNOSE))]
CanRead = Annotated[ApiKey, Depends(_may(Scope.READ))]
CanManage = Annotated[ApiKey, Depends(_may(Scope.MANAGE))]
REFUSED = (400, 401, 403, 413, 422)
"""Statuses of a request that is not as it should be."""
FAULTY = (500, 503, 504)
"""Of one that cannot be answered now."""
BUSY = (429, *FAULTY)
"""Likewise, where windows are counted."""


def take(service: Service, key: ApiKey, windows: int) -> None:
    """Take tokens of a key's rate limit.

    Raises:
        ProblemError: There are not enough.
    """
    wait_s = service.rate.wait_s(key.name, windows)
    if wait_s:
        retry = str(max(1, round(wait_s)))
        raise ProblemError(429, "The key's rate limit is reached.", headers={"Retry-After": retry})
