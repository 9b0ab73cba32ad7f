"""The HTTP side: answers, errors that name the field, keys, limits, models, what people see."""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from serving_parts import Served, TroubledModel, cycle_json

from hydrascope.experiment.restore import restore
from hydrascope.packaging.bundle import read_bundle
from hydrascope.packaging.manifest import sha256
from hydrascope.serving.access.api_keys import new_key
from hydrascope.telemetry.zema import ZemaSource

Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def served(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    models = tmp_path_factory.mktemp("models")
    other = Path(shutil.copytree(bundle, models / "other"))
    manifest = json.loads((other / "manifest.json").read_text()) | {"hydrascope": "0.0.9"}
    (other / "manifest.json").write_text(json.dumps(manifest))
    broken = Path(shutil.copytree(bundle, models / "broken"))
    (broken / "model.safetensors").write_bytes(b"changed")
    service = Served(
        bundle=str(bundle),
        models=models,
        equipment=tmp_path_factory.mktemp("equipment"),
        max_body_mb=0.5,
        least_right=0.0,  # it was hardly trained
    )
    yield service
    service.close()


@pytest.fixture(scope="module")
def asked(zema: ZemaSource) -> dict[str, Any]:
    return cycle_json(zema, 77)


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = response.json()
    assert content["status"] == status
    assert content["request_id"] == response.headers["x-request-id"]
    for leak in ("Traceback", "site-packages", ".py", "torch"):
        assert leak not in response.text
    return content


def test_an_answer_says_in_words_what_the_checkpoint_says_in_numbers(
    served: Served, asked: dict[str, Any], best: str
) -> None:
    response = served.post("/v1/diagnose", asked, headers={"x-request-id": "my-id"})
    assert response.status_code == 200
    assert response.headers["x-request-id"] == "my-id"
    answer = response.json()
    _, diagnoser, data = restore(best)
    expected = diagnoser.predict(data.dataset.gather([77]).inputs)
    components = [c.id for c in data.machines["zema"].topology.components]
    for head in diagnoser.heads:
        if head.name == "stable":
            continue
        (component,) = head.components or ()
        found = answer["components"][component][head.name]
        row = expected[head.name][components.index(component)]
        names = [each.name for each in head.classes]
        assert list(found["probabilities"].values()) == pytest.approx(row.tolist(), abs=1e-5)
        assert found["outcome"] == names[int(row.argmax())]
        assert found["unit"] == head.unit
        sound = [each.value for each in head.classes].index(head.healthy)
        assert found["health"] == pytest.approx(float(row[sound]), abs=1e-5)
        assert answer["component_health"][component] == found["health"]
        assert diagnoser.calibration is not None
        (margin,) = diagnoser.calibration.spec.conformal.margins[head.name]
        kept = zip(names, row.double().tolist(), strict=True)
        assert found["possible"] == [name for name, p in kept if 1 - p <= margin]
        entropy = -sum(p * math.log(p) for p in row.tolist() if p > 0) / math.log(len(names))
        assert found["uncertainty"] == pytest.approx(entropy, abs=1e-4)
    stable = answer["machine"]["stable"]
    present = float(expected["stable"][0, 0])
    assert stable["probabilities"]["present"] == pytest.approx(present, abs=1e-5)
    assert stable["flags"] == (["present"] if present >= 0.5 else [])
    assert answer["health"] == min(answer["component_health"].values())
    assert answer["window"] == {"start": "1970-01-01T01:17:00Z", "end": "1970-01-01T01:18:00Z"}
    assert answer["model"] == {"task": "zema", "version": served.service.models.active.version}
    assert answer["missing"] == {}
    assert answer["timing"]["total_ms"] >= answer["timing"]["network_ms"] > 0


def test_units_are_converted_and_what_is_missing_is_said(
    served: Served, asked: dict[str, Any]
) -> None:
    plain = served.post("/v1/diagnose", asked).json()
    other = json.loads(json.dumps(asked))
    signal = other["signals"]["PS1"]
    signal["values"] = [value * 100 for value in signal["values"]]
    signal["unit"] = "kPa"
    converted = served.post("/v1/diagnose", other).json()
    for component, heads in plain["components"].items():
        for head, found in heads.items():
            again = converted["components"][component][head]["probabilities"]
            assert again == pytest.approx(found["probabilities"], abs=1e-4)
    other = json.loads(json.dumps(asked))
    del other["signals"]["TS1"]
    other["signals"]["TS2"]["values"][:30] = [None] * 30
    other["signals"]["PS1"]["values"][:6] = [9999.0] * 6  # beyond the sensor's range
    answer = served.post("/v1/diagnose", other).json()
    assert answer["missing"] == {
        "TS1": {"samples": 1.0, "steps": 1.0},
        "TS2": {"samples": 0.5, "steps": 0.5},
        "PS1": {"samples": pytest.approx(0.1), "steps": pytest.approx(0.1)},
    }


def test_the_same_content_is_answered_from_the_cache(served: Served, asked: dict[str, Any]) -> None:
    first = served.post("/v1/diagnose", asked).json()
    again = served.post("/v1/diagnose", asked).json()
    assert again["cached"] is True
    del first["timing"], first["cached"], again["timing"], again["cached"]
    assert first == again
    changed = json.loads(json.dumps(asked))
    changed["signals"]["PS1"]["values"][0] += 0.5
    assert served.post("/v1/diagnose", changed).json()["cached"] is False


def changed(asked: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(asked))
    *parents, last = path.split(".")
    place = copy
    for name in parents:
        place = place[name]
    place[last] = value
    return copy


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
        (b"", 422),
        (b'{"equipment_id":"' + b"x" * 600_000 + b'"}', 413),
    ],
)
def test_hostile_bodies_are_refused(served: Served, body: bytes, status: int) -> None:
    problem(served.post("/v1/diagnose", body), status)


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


def test_a_batch_answers_each_item_by_itself(served: Served, asked: dict[str, Any]) -> None:
    items = [asked, changed(asked, "equipment_id", "nobody"), 7, changed(asked, "store", True)]
    response = served.post("/v1/diagnose/batch", {"items": items})
    assert response.status_code == 200
    results = response.json()["results"]
    assert [each["index"] for each in results] == [0, 1, 2, 3]
    assert results[0]["diagnosis"]["equipment_id"] == "zema"
    assert [each["problem"] and each["problem"]["status"] for each in results] == [
        None,
        422,
        422,
        422,
    ]
    assert "store" in results[3]["problem"]["errors"][0]["field"]
    for count in (0, 101):
        problem(served.post("/v1/diagnose/batch", {"items": [7] * count}), 422)


def test_machines_are_added_listed_and_shown_with_their_last_window(
    served: Served, asked: dict[str, Any], zema: ZemaSource
) -> None:
    served.post("/v1/diagnose", asked)
    machine = zema.machines()["zema"].model_dump(mode="json")
    machine["equipment"] |= {"equipment_id": "rig_2", "name": "<b>Second</b> rig"}
    assert served.post("/v1/equipment", machine).status_code == 201
    file = served.settings.equipment / "rig_2.json"
    assert json.loads(file.read_text())["equipment"]["equipment_id"] == "rig_2"
    fleet = {each["equipment_id"]: each for each in served.get("/v1/equipment").json()}
    assert fleet["zema"]["health"] is not None
    assert fleet["rig_2"]["findings"] is None
    detail = served.get("/v1/equipment/zema").json()
    assert len(detail["signals"]) == 17
    assert detail["signals"]["PS1"]["unit"] == "bar"
    assert detail["diagnosis"]["window"]["start"] == "1970-01-01T01:17:00Z"
    assert len(detail["findings"]) == fleet["zema"]["findings"]
    problem(served.get("/v1/equipment/nobody"), 404)
    machine["topology"]["components"][0]["kind"] = "flux_capacitor"
    machine["topology"]["component_kinds"] = ["flux_capacitor"]
    content = problem(served.post("/v1/equipment", machine), 422)
    assert "flux_capacitor" in content["errors"][0]["message"]


REFERENCE = "/v1/equipment/zema/reference"


def test_a_reference_is_kept_shown_and_removed_whether_or_not_the_model_reads_it(
    served: Served, asked: dict[str, Any]
) -> None:
    window = {key: asked[key] for key in ("start", "signals")}
    assert served.delete(REFERENCE).status_code == 404
    verdict = served.put(REFERENCE, {"windows": [window]})
    assert verdict.status_code == 200
    assert verdict.json()["reference"] is None  # this bundle's model reads none
    assert verdict.json()["silent"] == []
    (shown,) = served.get(REFERENCE).json()["windows"]
    for name, signal in asked["signals"].items():
        assert shown["signals"][name]["values"] == signal["values"]
        assert shown["signals"][name]["rate_hz"] == signal["rate_hz"]
    assert served.post("/v1/diagnose", asked).json()["reference"] is None
    assert served.delete(REFERENCE).status_code == 204
    problem(served.get(REFERENCE), 404)
    problem(served.put("/v1/equipment/nobody/reference", {"windows": [window]}), 404)
    problem(served.get("/v1/equipment/nobody/reference"), 404)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("signals.PS99", {"values": [1.0]}, "windows[1].signals.PS99"),
        ("signals.PS1.unit", "degC", "windows[1].signals.PS1.unit"),
        ("signals.PS1.values", [1.0] * 61, "windows[1].signals.PS1.values"),
        ("signals.PS1.values", ["1"], "windows[1].signals.PS1.values[0]"),
        ("signals", None, "windows[1].signals"),
        ("start", "soon", "windows[1].start"),
        ("store", True, "windows[1].store"),
    ],
)
def test_what_is_wrong_with_a_reference_is_a_422_that_names_window_and_field(
    served: Served, asked: dict[str, Any], path: str, value: Any, field: str
) -> None:
    window = {key: asked[key] for key in ("start", "signals")}
    content = problem(
        served.put(REFERENCE, {"windows": [window, changed(window, path, value)]}), 422
    )
    assert field in [each["field"] for each in content["errors"]]
    for count in (0, 101):
        problem(served.put(REFERENCE, {"windows": [7] * count}), 422)
    problem(served.get(REFERENCE), 404)


def test_topologies_are_judged(served: Served, zema: ZemaSource) -> None:
    topology = zema.machines()["zema"].topology.model_dump(mode="json")
    verdict = served.post("/v1/topologies/validate", {"topology": topology}).json()
    assert verdict == {"valid": True, "readable": True, "faults": []}
    topology["id"] = "another_build"
    verdict = served.post("/v1/topologies/validate", {"topology": topology}).json()
    assert (verdict["valid"], verdict["readable"]) == (True, False)
    topology["edges"][0]["source"] = "nowhere"
    verdict = served.post("/v1/topologies/validate", {"topology": topology}).json()
    assert verdict["valid"] is False
    assert "edges[0].source" in verdict["faults"][0]


def test_another_model_is_activated_and_the_first_one_again(
    served: Served, asked: dict[str, Any]
) -> None:
    first = served.service.models.active.version
    models = {each["version"]: each for each in served.get("/v1/models").json()}
    assert [version for version, each in models.items() if each["active"]] == [first]
    assert len(models) == 2  # the broken one is not at hand
    (other,) = models.keys() - {first}
    for version in (other, first):
        assert served.post(f"/v1/models/{version}/activate").json()["model"] == version
        answer = served.post("/v1/diagnose", asked).json()
        assert answer["model"]["version"] == version
    problem(served.post("/v1/models/unknown/activate"), 404)


def test_a_model_that_fails_after_its_activation_gives_way_to_the_one_before(
    served: Served, asked: dict[str, Any], bundle: Path
) -> None:
    first = served.service.models.active
    troubled = TroubledModel(bundle)
    troubled.fails, troubled.version = True, "troubled"
    served.service.models._switch(troubled)
    assert served.get("/readyz").json()["model"] == "troubled"
    statuses = []
    for number in range(8):
        request = changed(asked, "start", f"2026-01-01T00:00:0{number}Z")
        statuses.append(served.post("/v1/diagnose", request).status_code)
    assert statuses == [500] * 5 + [200] * 3
    assert served.service.models.active is first


def test_metrics_say_what_happened(served: Served, asked: dict[str, Any]) -> None:
    served.post("/v1/diagnose", changed(asked, "start", "2026-02-02T00:00:00Z"))
    text = served.get("/metrics").text
    for line in (
        'hydrascope_requests_total{route="/v1/diagnose",status="200"}',
        'hydrascope_request_seconds_bucket{le="0.06",route="/v1/diagnose"}',
        'hydrascope_stage_seconds_count{stage="network"}',
        "hydrascope_batch_size_count",
        "hydrascope_queue_depth 0.0",
        "hydrascope_breaker_open 0.0",
        'hydrascope_cache_total{outcome="miss"}',
        'hydrascope_input_drift{sensor="zema_rig/PS1"}',
        'hydrascope_score_count{head="pump"',
    ):
        assert line in text
    lines = [each for each in text.splitlines() if each.startswith("hydrascope_input_drift{")]
    drift = [float(each.split()[-1]) for each in lines]
    assert 0.2 < sum(drift) / len(drift) < 3  # of windows like the training's


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


def test_the_openapi_document_has_examples_and_problems(served: Served) -> None:
    document = served.get("/openapi.json").json()
    diagnose = document["paths"]["/v1/diagnose"]["post"]
    assert "inline" in diagnose["requestBody"]["content"]["application/json"]["examples"]
    assert {"200", "401", "413", "422", "429", "503"} <= diagnose["responses"].keys()
    assert "application/problem+json" in diagnose["responses"]["422"]["content"]


def test_the_version_of_a_bundle_is_the_hash_of_its_manifest(bundle: Path) -> None:
    assert read_bundle(bundle).version == sha256(bundle / "manifest.json")[:12]
