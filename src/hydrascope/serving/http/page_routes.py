"""The page for people: the files that `make page` builds from `page/`."""

import gzip
import hashlib
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

router = APIRouter(include_in_schema=False)
_INDEX = "index.html"
_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page loads nothing from elsewhere, and runs and applies nothing that is not in its files."""


class PageFile(NamedTuple):
    """A file of the page, and the same compressed."""

    plain: bytes
    zipped: bytes
    media_type: str
    digest: str

    @classmethod
    def read(cls, name: str, content: bytes) -> "PageFile":
        """Return the file of a name with its content."""
        digest = hashlib.sha256(content).hexdigest()[:16]
        media_type = _MEDIA_TYPES[name.rpartition(".")[2]]
        return cls(content, gzip.compress(content, mtime=0), media_type, digest)

    def answer(self, request: Request, policy: str = _POLICY) -> Response:
        """Return the file as the browser accepts it, or 304 where it has it already.

        Args:
            request: Of the browser.
            policy: What the file may load and run (Content Security Policy).
        """
        zipped = _accepts_gzip(request.headers.get("accept-encoding", ""))
        etag = f'"{self.digest}{"-gzip" if zipped else ""}"'
        headers = {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-cache",  # kept by browsers, which ask whether it still holds
            "ETag": etag,
            "Vary": "Accept-Encoding",
        }
        known = request.headers.get("if-none-match", "")
        if etag in (each.strip().removeprefix("W/") for each in known.split(",")):
            return Response(status_code=304, headers=headers)
        if zipped:
            headers["Content-Encoding"] = "gzip"
        content = self.zipped if zipped else self.plain
        return Response(content, media_type=self.media_type, headers=headers)


def _accepts_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        coding, *parameters = (part.strip() for part in each.split(";"))
        if coding == "gzip":
            return parameters not in (["q=0"], ["q=0.0"], ["q=0.00"], ["q=0.000"])
    return False


def _route(file: PageFile) -> Callable[[Request], Awaitable[Response]]:
    async def show(request: Request) -> Response:
        return file.answer(request)

    return show


for _file in resources.files("hydrascope.serving").joinpath("page").iterdir():
    _path = "/" if _file.name == _INDEX else f"/{_file.name}"
    router.add_api_route(_path, _route(PageFile.read(_file.name, _file.read_bytes())))
