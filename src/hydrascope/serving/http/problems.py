"""Errors as problems of RFC 9457 (`application/problem+json`), without internal details."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from hydrascope.schemas.errors import ServiceError, SpecError, dotted
from hydrascope.serving.engine.errors import (
    BreakerOpenError,
    DeadlineError,
    EngineError,
    EngineFaultError,
    QueueFullError,
    StoppedError,
)
from hydrascope.serving.equipment.store import UnavailableError, UnwritableError
from hydrascope.serving.http.problem_body import FieldFault, Problem
from hydrascope.serving.observability.logs import request_id

_LOG = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
REFUSED = (400, 401, 403, 408, 413, 415, 422)
"""Statuses of a request that is not valid."""
FAULTY = (500, 503, 504)
"""Statuses of a valid request that cannot be answered now."""
BUSY = (429, *FAULTY)
"""The same on a route with a rate limit."""


class ProblemError(HTTPException):
    """An error with its status and detail."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: list[FieldFault] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.problem = Problem(
            title=HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            request_id=request_id.get(),
            errors=errors or [],
        )

    def response(self) -> Response:
        """Return the HTTP response."""
        return Response(
            to_json(self.problem),
            self.problem.status,
            headers=self.headers,
            media_type=MEDIA_TYPE,
        )


def problem_of(error: Exception) -> ProblemError:
    """Return the problem of an error; internal causes stay in the log."""
    match error:
        case ProblemError():
            return error
        case RequestValidationError():
            return ProblemError(422, "The request is not as it should be.", _faults(error))
        case SpecError():
            faults = [FieldFault(field=path, message=text) for path, text in error.faults]
            return ProblemError(422, "The request cannot be answered.", faults)
        case QueueFullError(retry_after_s=retry_after_s):
            return _later(503, "Too many requests wait already.", retry_after_s)
        case BreakerOpenError(retry_after_s=retry_after_s):
            return _later(503, "The engine failed repeatedly and rests.", retry_after_s)
        case UnwritableError():
            _LOG.warning("%s", error)
            return _later(503, "The folder of machines cannot be written.", 5.0)
        case UnavailableError() | ServiceError():
            _LOG.warning("%s", error)
            return _later(503, "The database does not answer.", 5.0)
        case StoppedError():
            return _later(503, "The service is shutting down.", 1.0)
        case DeadlineError():
            return _later(504, "The answer would have come too late.", 1.0)
        case EngineFaultError():
            return ProblemError(500, "The engine failed on this request.")
        case HTTPException(status_code=status, detail=detail):
            return ProblemError(status, str(detail), headers=error.headers)
    _LOG.error("unexpected error", exc_info=error)
    return ProblemError(500, "Something went wrong; the log knows it by the request id.")


def install_handlers(app: FastAPI) -> None:
    """Answer every error of an app with its problem."""

    async def answer(_: Request, error: Exception) -> Response:
        return problem_of(error).response()

    for kind in (
        RequestValidationError,
        SpecError,
        EngineError,
        UnavailableError,
        ServiceError,
        HTTPException,
    ):
        app.add_exception_handler(kind, answer)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries of problems with these statuses."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def _later(status: int, detail: str, seconds: float) -> ProblemError:
    return ProblemError(status, detail, headers={"Retry-After": str(max(1, round(seconds)))})


def _faults(error: RequestValidationError) -> list[FieldFault]:
    return [
        FieldFault(field=dotted(each["loc"][1:]) or str(each["loc"][0]), message=each["msg"])
        for each in error.errors()[:20]
    ]
