"""JSON bodies as RFC 8259 has them: as JSON declared, in UTF-8, with unique keys, not too deep."""

import json
from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Any

import numpy as np
from fastapi import Request
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.responses import Response

from hydrascope.serving.http.problems import ProblemError

_BOM = b"\xef\xbb\xbf"
_MOST_PARTS = 100_000
"""Objects and lists in a body, and keys of objects, at most: each takes microseconds to check."""
_MOST_WITHOUT_SAMPLES = 20_000
"""The same for a body without samples, whose commas count, too."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class _StrictRequest(Request):
    """Refuses NaN, Infinity, keys that come twice and deep nesting."""

    async def json(self) -> Any:
        body = (await self.body()).removeprefix(_BOM)  # some clients write this mark
        # Brackets and colons in strings count too, which valid requests do not notice. Strings can
        # hide nesting from this count; the parser refuses that from 200 levels on.
        brackets = np.frombuffer(body.translate(None, _NO_BRACKETS), np.uint8)
        opening = (brackets == ord("[")) | (brackets == ord("{"))
        parts, most = max(int(opening.sum()), body.count(b":")), _MOST_PARTS
        if not self.scope["route"].samples:
            parts, most = max(parts, body.count(b",")), _MOST_WITHOUT_SAMPLES
        if parts > most:
            raise ProblemError(400, f"The body has {parts} parts; accepted: {most}.")
        deepest = int(np.where(opening, 1, -1).cumsum().max(initial=0))
        limit: int = self.app.state.service.settings.max_depth
        if deepest > limit:
            raise ProblemError(400, f"The body nests {deepest} levels deep; accepted: {limit}.")
        try:
            content = from_json(body, allow_inf_nan=False)
        except ValueError as error:
            raise ProblemError(400, f"The body is not JSON: {error}.") from None
        # A key that comes twice leaves one colon more in the body than in the content. Equal
        # numbers spare the slower parser, which sees every key. A colon written as \u003a is in
        # the content alone and could make up for one.
        if body.count(b":") != _colons(content) or b"\\u003" in body:
            json.loads(body, object_pairs_hook=_unique)
        return content


class StrictRoute(APIRoute):
    """A route whose body is read by `_StrictRequest`."""

    samples = True
    """Whether bodies hold samples, and thus long lists."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, reading bodies strictly."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            if self.body_field is not None:
                _check_type(request.headers.get("content-type"))
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict


class MachineRoute(StrictRoute):
    """One whose body describes a machine."""

    samples = False


def _check_type(given: str | None) -> None:
    """Refuse a body that is not declared to be JSON in UTF-8.

    FastAPI would take it for a text, and find that a text is not what it expects.
    """
    header = Message()
    header["content-type"] = given or "none/none"
    kind, charset = header.get_content_type(), header.get_content_charset("utf-8")
    is_json = kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )
    if not is_json or charset not in ("utf-8", "utf8", "us-ascii"):
        shown = repr(given) if given else "none"
        raise ProblemError(
            415, f"Content-Type: {shown} is not accepted; expected application/json, in UTF-8."
        )


def _colons(content: object) -> int:
    """Return how many colons a JSON text needs for its content."""
    if isinstance(content, dict):
        keys: int = sum(key.count(":") for key in content)
        return len(content) + keys + sum(map(_colons, content.values()))
    if isinstance(content, str):
        return content.count(":")
    # Long lists hold numbers.
    if isinstance(content, list) and content and not isinstance(content[0], (float, int)):
        return sum(map(_colons, content))
    return 0


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ProblemError(400, f"The body has the key {key[:80]!r} twice in one object.")
        found[key] = value
    return found
