"""Requests that the service refuses: invalid fields, hostile bodies, keys, limits."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from http_checks import changed, problem
from serving_parts import Served

from hydrascope.serving.access.api_keys import new_key


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("equipment_id", "nobody", "equipment_id"),
        ("equipment_id", "../../etc", "equipment_id"),
        ("equipment_id", "зема", "equipment_id"),
        ("start", "2026-01-01T00:00:00", "start"),
        ("start", "soon", "start"),
        ("signals", {}, "signals"),
        ("signals.PS99", {"values": [1.0]}, "signals.PS99"),
        ("signals.PS1.unit", "degC", "signals.PS1.unit"),
        ("signals.PS1.unit", "💥", "signals.PS1.unit"),
        ("signals.PS1.rate_hz", 0, "signals.PS1.rate_hz"),
        ("signals.PS1.rate_hz", 1e8, "signals.PS1.rate_hz"),
        ("signals.PS1.rate_hz", 1e308, "signals.PS1.rate_hz"),
        ("signals.PS1.rate_hz", None, "signals.PS1.rate_hz"),  # 60 samples, which are not of 100 Hz
        ("signals.PS1.rate_hz", 1000, "signals.PS1.values"),  # they fill a thousandth
        ("signals.PS1.values", [], "signals.PS1.values"),
        ("signals.PS1.values", ["1"], "signals.PS1.values[0]"),
        ("signals.PS1.values", [1.0] * 61, "signals.PS1.values"),
        ("signals.PS1.more", 1, "signals.PS1.more"),
        ("verbose", True, "verbose"),
        ("signals", None, "signals"),
        ("store", True, "store"),
    ],
)
def test_what_is_wrong_with_a_request_is_a_422_that_names_the_field(
    served: Served, asked: dict[str, Any], path: str, value: Any, field: str
) -> None:
    content = problem(served.post("/v1/diagnose", changed(asked, path, value)), 422)
    assert field in [each["field"] for each in content["errors"]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 50 + b"1" + b"}" * 50, 400),
        (b'{"equipment_id":"zema","start":NaN}', 400),
        (b'{"equipment_id":"zema","start":1e999,"signals":{"PS1":{"values":[1e999]}}}', 422),
        (b"\xff\xfe\x00", 400),
        (b"null", 422),
        (b'{"equipment_id":"zema","equipment_id":"other"}', 400),
        (b'{"signals":{"PS1":{"values":[1.0]},"\\u0050S1":{"unit":":"}}}', 400),
        (b'{"equipment_id":"' + 5000 * b"1" + b'","start":' + 5000 * b"1" + b"}", 400),
        (b'{"equipment_id":"\\ud800"}', 400),
        (b'{"equipment_id":"a"} {}', 400),
        ('{"equipment_id":"ä"}'.encode("latin-1"), 400),
        (b"", 422),
        (b"[" + 110_000 * b"[]," + b"[]]", 400),
        (b'{"signals":{"PS1":{"values":[' + 100_000 * b'"",' + b'""]}}}', 422),
        (b"{" + b",".join(b'"%x":1' % key for key in range(40_000)) + b"}", 422),
        (b'{"equipment_id":"' + b"x" * 600_000 + b'"}', 413),
    ],
)
def test_hostile_bodies_are_refused(served: Served, body: bytes, status: int) -> None:
    problem(served.post("/v1/diagnose", body), status)


@pytest.mark.parametrize("repeated", [b"1,", b'"a",', b"{},"])
def test_a_machine_of_very_many_parts_is_refused(served: Served, repeated: bytes) -> None:
    body = b'{"topology":{"id":"a","components":[' + 100_000 * repeated + b"1]}}"
    for path in ("/v1/topologies/validate", "/v1/equipment"):
        assert "parts; accepted: 20000" in problem(served.post(path, body), 400)["detail"]


def test_very_many_faults_are_counted(served: Served) -> None:
    keys = b",".join(b'"%x":1' % key for key in range(5000))
    content = problem(served.post("/v1/diagnose", b"{" + keys + b"}"), 422)
    assert content["errors"] == [{"field": "body", "message": "5002 faults in this part"}]


def test_a_body_that_grows_beyond_the_limit_without_saying_so_is_refused(served: Served) -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b" " * 100_000

    headers = {"content-type": "application/json"}
    response = served.run(served.client.post("/v1/diagnose", content=endless(), headers=headers))
    problem(response, 413)


def test_unknown_routes_and_methods_are_problems_too(served: Served) -> None:
    problem(served.get("/nothing"), 404)
    problem(served.get("/v1/diagnose"), 405)


def test_pages_of_other_origins_and_frames_are_kept_out(served: Served) -> None:
    response = served.get("/", headers={"origin": "https://elsewhere.example"})
    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers
    assert response.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "http://" not in response.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in response.text
    assert "innerHTML" not in response.text


def test_keys_scopes_and_rates(bundle: Path, asked: dict[str, Any], tmp_path: Path) -> None:
    given = {name: new_key() for name in ("asker", "viewer")}
    scopes = {"asker": ["diagnose"], "viewer": ["read"]}
    entries = [
        {"name": name, "sha256": digest, "scopes": scopes[name]}
        for name, (_, digest) in given.items()
    ]
    (tmp_path / "keys.yaml").write_text(yaml.safe_dump({"keys": entries}))
    served = Served(bundle=str(bundle), keys=tmp_path / "keys.yaml", rate_per_s=0.5, burst=3)

    def bearer(name: str) -> dict[str, str]:
        return {"headers": {"authorization": f"Bearer {given[name][0]}"}}

    try:
        assert served.get("/healthz").status_code == 200
        assert served.get("/readyz").status_code == 200
        assert served.get("/").status_code == 200
        for wrong in ({}, {"headers": {"authorization": "Bearer hs_guess"}}):
            response = served.post("/v1/diagnose", asked, **wrong)
            problem(response, 401)
            assert response.headers["www-authenticate"] == "Bearer"
        problem(served.get("/metrics"), 401)
        problem(served.post("/v1/diagnose", asked, **bearer("viewer")), 403)
        problem(served.get("/v1/equipment", **bearer("asker")), 403)
        assert served.get("/metrics", **bearer("viewer")).status_code == 200
        answers = [served.post("/v1/diagnose", asked, **bearer("asker")) for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        problem(answers[3], 429)
        assert 1 <= int(answers[3].headers["retry-after"]) <= 2
    finally:
        served.close()


def test_a_full_queue_and_an_open_breaker_are_said_before_the_body_is_read(
    served: Served, asked: dict[str, Any]
) -> None:
    engine = served.service.engine
    for _ in range(5):
        engine.breaker.record_failure()
    try:
        response = served.post("/v1/diagnose", b"not even JSON")
        problem(response, 503)
        assert 1 <= int(response.headers["retry-after"]) <= 60
        problem(served.get("/readyz"), 503)
        assert served.get("/healthz").status_code == 200
    finally:
        engine.breaker.reset()
    assert served.post("/v1/diagnose", asked).status_code == 200
