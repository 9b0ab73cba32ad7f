"""Bodies and methods of requests are answered as what they are."""

import gzip
import json
from typing import Any

import pytest
from http_checks import changed, problem
from serving_parts import Served


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({}, "Content-Type: none is not accepted; expected application/json, in UTF-8."),
        (
            {"content-type": "application/x-www-form-urlencoded"},
            "Content-Type: 'application/x-www-form-urlencoded' is not accepted; expected "
            "application/json, in UTF-8.",
        ),
        (
            {"content-type": "application/json; charset=utf-16"},
            "Content-Type: 'application/json; charset=utf-16' is not accepted; expected "
            "application/json, in UTF-8.",
        ),
        (
            {"content-type": "application/json", "content-encoding": "gzip"},
            "Content-Encoding: 'gzip' is not accepted; send the body as it is.",
        ),
    ],
)
def test_a_body_of_another_kind_is_refused_as_what_it_is(
    served: Served, asked: dict[str, Any], headers: dict[str, str], detail: str
) -> None:
    content = gzip.compress(json.dumps(asked).encode())
    response = served.run(served.client.post("/v1/diagnose", content=content, headers=headers))
    assert problem(response, 415)["detail"] == detail
    assert ("accept-encoding" in response.headers) == ("content-encoding" in headers)


@pytest.mark.parametrize("kind", ["application/json; charset=UTF-8", "application/problem+json"])
def test_a_body_in_json_is_accepted_however_it_is_declared_and_marked(
    served: Served, asked: dict[str, Any], kind: str
) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(asked, ensure_ascii=False).encode()
    response = served.run(
        served.client.post("/v1/diagnose", content=body, headers={"content-type": kind})
    )
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("colon", ["x", "\\u003a", "\\u003A"])
def test_a_key_that_comes_twice_is_refused_beside_a_colon_that_is_escaped(
    served: Served, colon: str
) -> None:
    body = f'{{"window_s": 1, "window_s": "y", "note": "{colon}"}}'
    headers = {"content-type": "application/json"}
    response = served.run(served.client.post("/v1/diagnose", content=body, headers=headers))
    assert "has the key 'window_s' twice in one object" in problem(response, 400)["detail"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/", "/v1/equipment"])
def test_head_is_answered_as_get_without_the_body(served: Served, path: str) -> None:
    response = served.run(served.client.head(path))
    assert response.status_code == 200
    assert response.content == b""
    assert response.headers["content-type"] == served.get(path).headers["content-type"]
    problem_free = served.run(served.client.head("/v1/diagnose"))
    assert (problem_free.status_code, problem_free.content) == (405, b"")
    endless = served.run(served.client.head("/v1/events"))
    assert (endless.status_code, endless.content) == (405, b"")


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_the_ends_of_the_calendar_are_refused(
    served: Served, asked: dict[str, Any], start: str
) -> None:
    content = problem(served.post("/v1/diagnose", changed(asked, "start", start)), 422)
    assert [each["field"] for each in content["errors"]] == ["start"]
