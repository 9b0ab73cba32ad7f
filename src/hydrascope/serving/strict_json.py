"""Bodies read as RFC 8259 has it, and no deeper than anyone means it."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.responses import Response

from hydrascope.serving.problems import ProblemError

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


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


class StrictRoute(APIRoute):
    """A route whose body is read by `_StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, reading bodies strictly."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict
