"""Requests and checks shared by the tests of the HTTP interface."""

import json
from typing import Any

import httpx


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = response.json()
    assert content["status"] == status
    assert content["request_id"] == response.headers["x-request-id"]
    for leak in ("Traceback", "site-packages", ".py", "torch"):
        assert leak not in response.text
    return content


def changed(asked: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(asked))
    *parents, last = path.split(".")
    place = copy
    for name in parents:
        place = place[name]
    place[last] = value
    return copy
