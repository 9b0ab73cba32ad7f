"""The page of the service's settings, and of what it refuses with which status."""

import ast
import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from docsite.tables import code, prose, table
from hydrascope.serving.settings import ServeSettings

_HEAD = """# Settings and status codes of the service

`hydrascope serve key=value …` and `python serve.py key=value …` take these settings, as do
`HYDRASCOPE_KEY` in the environment and `.env`. [Serving](../serving.md) says how a service works.
A key without a default has to be given.

## Settings
"""
_STATUSES = """## Status codes

A refusal is a problem of RFC 9457 (`application/problem+json`): `title`, `status`, `detail`,
`request_id`, and `errors` with a `field` and a `message` for what is wrong with the request. Items
of a batch have problems of their own, in an answer of status 200. Which route answers what is in
`/openapi.json`. Three dots stand for what differs from request to request.
"""


class Refusal(NamedTuple):
    """One answer that is an error."""

    status: int
    detail: str
    retry_after: bool
    """Whether it says when to come again."""
    file: str


def serving_page(root: Path) -> str:
    """Return the page, made of the settings' class and of the code that refuses."""
    settings = table(("key", "default", "meaning"), _settings())
    statuses = table(
        ("status", "", "`detail`", "`Retry-After`", "said by"),
        [
            (
                str(refusal.status),
                HTTPStatus(refusal.status).phrase,
                prose(refusal.detail),
                "yes" if refusal.retry_after else "",
                f"[{Path(refusal.file).name}](../../{refusal.file})",
            )
            for refusal in sorted(set(refusals(root)))
        ],
    )
    return "\n".join((_HEAD, settings, "", _STATUSES, statuses, ""))


def _settings() -> Iterator[tuple[str, str, str]]:
    for name, field in ServeSettings.model_fields.items():
        default = "" if field.is_required() else code(json.dumps(field.default))
        yield code(name), default, prose(" ".join((field.description or "").split()))


def refusals(root: Path) -> Iterator[Refusal]:
    """Yield each refusal that the service's code holds, with its status as a number."""
    for file in sorted((root / "src" / "hydrascope" / "serving").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name(id="ProblemError" | "_later" as name),
                    args=[ast.Constant(value=int(status)), detail, *_],
                    keywords=more,
                ):
                    later = name == "_later" or any("Retry-After" in ast.dump(one) for one in more)
                    yield Refusal(status, _text(detail), later, file.relative_to(root).as_posix())


def _text(detail: ast.expr) -> str:
    match detail:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) if isinstance(part, ast.Constant) else "…" for part in parts)
    raise AssertionError(ast.dump(detail))
