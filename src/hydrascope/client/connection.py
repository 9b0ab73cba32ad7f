"""Requests to a service and what comes back: a body, an error, or a stream of events."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from hydrascope.schemas.errors import ServiceError, SpecError, explain
from hydrascope.serving.http.problem_body import FieldFault, Problem

KindT = TypeVar("KindT")

_TIMEOUT_S = 30.0
"""Longest silence of the service, where the caller brings no connection of its own."""
_SHOWN = 200
"""Characters that are shown of an answer that is no problem of the service."""


class AnswerError(ServiceError):
    """The service answered with an error (RFC 9457).

    Attributes:
        status: Of HTTP, such as 404.
        title: Its name.
        detail: What is wrong.
        errors: What is wrong with single fields of the request.
        request_id: By which the service's log knows the request.
        retry_after_s: When to ask again; None where that would not help.
    """

    def __init__(self, request: str, problem: Problem, retry_after_s: float | None = None) -> None:
        lines = [f"{each.field}: {each.message}" for each in problem.errors]
        said = "\n  ".join([problem.detail, *lines])
        super().__init__(f"{request}: {problem.status} {problem.title}: {said}")
        self.status, self.title, self.detail = problem.status, problem.title, problem.detail
        self.errors: list[FieldFault] = problem.errors
        self.request_id, self.retry_after_s = problem.request_id, retry_after_s


class Connection:
    """Sends requests to one service.

    Args:
        url: Address of the service.
        key: API key; None where the service asks for none.
        http: Carries them; None: one of its own.
    """

    def __init__(self, url: str, key: str | None, http: httpx.Client | None) -> None:
        if httpx.URL(url).scheme not in ("http", "https"):
            raise SpecError(f"url: {url!r} is not accepted; expected http://… or https://…")
        self._base = url.rstrip("/")
        self._headers = {} if key is None else {"authorization": f"Bearer {key}"}
        self._http = http or httpx.Client(timeout=_TIMEOUT_S)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def read(
        self,
        kind: type[KindT],
        path: str,
        query: Mapping[str, object] | None = None,
        body: BaseModel | None = None,
        method: str | None = None,
    ) -> KindT:
        """Return an answer as its kind.

        Args:
            kind: What the answer is read as, such as a model or `list[…]`.
            path: After `/v1/`, with its parts quoted (`path_of`).
            query: Parameters; those that are None are left out.
            body: Of the request.
            method: Of HTTP; None: POST with a body and GET without.

        Raises:
            AnswerError: The service answered with an error.
            ServiceError: It did not answer, or not as this version of the client expects.
        """
        return self.parse(kind, self.send(path, query, body, method).content, path)

    def parse(self, kind: type[KindT], content: str | bytes, path: str) -> KindT:
        """Return the content of an answer to a path as its kind.

        Raises:
            ServiceError: It is not as this version of the client expects.
        """
        try:
            return TypeAdapter(kind).validate_json(content)
        except ValidationError as error:
            fault = next(explain(error, BaseModel, "(whole answer)"))
            raise ServiceError(
                f"{self._base}: the answer to {path} is not as this version of the client expects: "
                f"{fault}"
            ) from None

    def send(
        self,
        path: str,
        query: Mapping[str, object] | None = None,
        body: BaseModel | None = None,
        method: str | None = None,
    ) -> httpx.Response:
        """Return the answer to a request; arguments and errors as those of `read`."""
        request = self._request(path, query, body, method)
        try:
            response = self._http.send(request)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return self._accepted(response)

    def events(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield kind and data of each server-sent event until the service ends the stream.

        Raises:
            AnswerError: The service answered with an error.
            ServiceError: It does not answer any more.
        """
        kind = data = ""
        try:
            response = self._http.send(self._request(path), stream=True)
            try:
                if response.is_error:
                    response.read()
                for line in self._accepted(response).iter_lines():
                    field, _, value = line.partition(": ")
                    if field == "event":
                        kind = value
                    elif field == "data":
                        data = value  # the service writes it as one line
                    elif not line and data:
                        yield kind, data
                        kind = data = ""
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _request(
        self,
        path: str,
        query: Mapping[str, object] | None = None,
        body: BaseModel | None = None,
        method: str | None = None,
    ) -> httpx.Request:
        given = {key: _word(value) for key, value in (query or {}).items() if value is not None}
        content, headers = None, dict(self._headers)
        if body is not None:
            content = body.model_dump_json(by_alias=True).encode()
            headers["content-type"] = "application/json"
        return self._http.build_request(
            method or ("GET" if body is None else "POST"),
            f"{self._base}/v1/{path}",
            params=given,
            content=content,
            headers=headers,
        )

    def _accepted(self, response: httpx.Response) -> httpx.Response:
        """Return an answer that is no error."""
        if response.is_success:
            return response
        request = f"{response.request.method} {response.request.url.copy_with(query=None)}"
        try:
            problem = Problem.model_validate_json(response.content)
        except ValidationError:  # a proxy answered in the place of the service
            problem = Problem(
                title=_title(response.status_code),
                status=response.status_code,
                detail=response.text[:_SHOWN],
            )
        after = response.headers.get("retry-after", "")
        raise AnswerError(request, problem, float(after) if after.isdigit() else None)

    def _unreachable(self, error: httpx.HTTPError) -> ServiceError:
        return ServiceError(f"{self._base}: {error or type(error).__name__}")


def path_of(*parts: str | int) -> str:
    """Return a path of parts, each quoted."""
    return "/".join(quote(str(each), safe="") for each in parts)


def _word(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
