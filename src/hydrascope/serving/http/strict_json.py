"""JSON bodies as RFC 8259 has them, with limited nesting."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.responses import Response

from hydrascope.serving.http.problems import ProblemError

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class _StrictRequest(Request):
    """Refuses NaN, Infinity and deep nesting."""

    async def json(self) -> Any:
        body = await self.body()
        deepest = depth = 0
        # Brackets in strings count too, which valid requests do not notice. Strings can hide
        # nesting from this count; the parser refuses that from 200 levels on.
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


class StrictRoute(APIRoute):
    """A route whose body is read by `_StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, reading bodies strictly."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict
