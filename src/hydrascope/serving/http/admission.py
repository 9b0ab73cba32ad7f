"""Admission control, request IDs, access log and metrics of every request, as plain ASGI."""

import logging
import re
import time
import uuid
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hydrascope.serving.http.bodies import Bodies, Bounds
from hydrascope.serving.http.problems import ProblemError, problem_of
from hydrascope.serving.observability.logs import request_id
from hydrascope.serving.observability.metrics import Metrics

_LOG = logging.getLogger("hydrascope.access")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_DIAGNOSE = "/v1/diagnose"
_ENDLESS = "/v1/events"
"""Its answer does not end, so that HEAD would keep the connection from any other request."""
_PLAIN = b"identity"
"""The content coding that changes nothing (RFC 9110, section 12.5.3)."""
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]


class AdmissionMiddleware:
    """Gives each request an ID, refuses those that are too large or too many, and records all.

    Args:
        app: The application that answers.
        bounds: Of bodies.
        refusal: Returns why no diagnosis is accepted now, or None; called before the body is read,
            so that refusals stay cheap under any load.
        metrics: Counts every request.
    """

    def __init__(
        self,
        app: ASGIApp,
        bounds: Bounds,
        refusal: Callable[[], Exception | None],
        metrics: Metrics,
    ) -> None:
        self._app, self._bodies, self._refusal = app, Bodies(bounds), refusal
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers, method = dict(scope["headers"]), scope["method"]
        # Routes know GET; HEAD is its answer without the body.
        if method == "HEAD" and scope["path"] != _ENDLESS:
            scope = {**scope, "method": "GET"}
        given = headers.get(b"x-request-id", b"")
        identifier = given.decode() if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(identifier)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [(b"x-request-id", identifier.encode()), *_HEADERS]
                message = {**message, "headers": [*message["headers"], *extra]}
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            problem = self._problem(scope, headers)
            if problem is not None:
                await problem.response()(scope, receive, answer)
            else:
                with self._bodies.bounded(receive) as bounded:
                    await self._app(scope, bounded, answer)
        except Exception as error:
            if status:
                raise
            await problem_of(error).response()(scope, receive, answer)
        finally:
            self._record(scope, method, status, time.perf_counter() - started)
            request_id.reset(token)

    def _problem(self, scope: Scope, headers: dict[bytes, bytes]) -> ProblemError | None:
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and not self._bodies.accepts(int(length)):
            return self._bodies.too_large()
        coding = headers.get(b"content-encoding", _PLAIN).strip().lower()
        if coding != _PLAIN:
            return ProblemError(
                415,
                f"Content-Encoding: {coding.decode('latin-1')!r} is not accepted; send the body "
                "as it is.",
                headers={"Accept-Encoding": _PLAIN.decode()},
            )
        if scope["path"].startswith(_DIAGNOSE):
            refusal = self._refusal()
            return None if refusal is None else problem_of(refusal)
        return None

    def _record(self, scope: Scope, method: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None)
        if route is None:  # refused, or unknown: clients must not make new labels
            route = scope["path"] if scope["path"].startswith(_DIAGNOSE) else "other"
            route = route if route in (_DIAGNOSE, f"{_DIAGNOSE}/batch") else "other"
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.latency.labels(route).observe(seconds)
        level = logging.DEBUG if route in ("/healthz", "/readyz", "/metrics") else logging.INFO
        if _LOG.isEnabledFor(level):
            fields = {
                "method": method,
                "path": scope["path"],
                "status": status,
                "ms": round(1000 * seconds, 2),
                "key": scope.get("state", {}).get("key"),
            }
            _LOG.log(level, "request", extra={"fields": fields})
