"""Swagger UI, which shows the HTTP interface and tries it out."""

from functools import cache
from importlib import resources

from fastapi import APIRouter, Request
from starlette.responses import Response

from hydrascope.serving.http.page_routes import PageFile

router = APIRouter(include_in_schema=False)
_OWN = resources.files("hydrascope.serving").joinpath("api_page")
_SWAGGER_UI = resources.files("fastapi_offline").joinpath("static")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI writes styles into its page, and its pictures are part of its files."""
_HOMES = {
    "index.html": _OWN,
    "start.js": _OWN,
    "swagger-ui.css": _SWAGGER_UI,
    "swagger-ui-bundle.js": _SWAGGER_UI,
}


@cache  # of megabytes, which only those who look need
def _file(name: str) -> PageFile:
    return PageFile.read(name, _HOMES[name].joinpath(name).read_bytes())


@router.get("/docs")
async def show_interface(request: Request) -> Response:
    """Show the HTTP interface."""
    return _file("index.html").answer(request, _POLICY)


@router.get("/docs/start.js")
@router.get("/docs/swagger-ui.css")
@router.get("/docs/swagger-ui-bundle.js")
async def show_part(request: Request) -> Response:
    """Return a file of the page."""
    return _file(request.url.path.rpartition("/")[2]).answer(request, _POLICY)
