"""Diagnoses over HTTP, the metrics about them and the OpenAPI document."""

import json
import math
from typing import Any

import pytest
from http_checks import changed, problem
from serving_parts import Served

from hydrascope.experiment.restore import restore


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


def test_the_openapi_document_has_examples_and_problems(served: Served) -> None:
    document = served.get("/openapi.json").json()
    diagnose = document["paths"]["/v1/diagnose"]["post"]
    assert "inline" in diagnose["requestBody"]["content"]["application/json"]["examples"]
    assert {"200", "401", "413", "422", "429", "503"} <= diagnose["responses"].keys()
    assert "application/problem+json" in diagnose["responses"]["422"]["content"]
