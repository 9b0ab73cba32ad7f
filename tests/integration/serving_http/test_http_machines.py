"""Machines, references and topologies over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest
from http_checks import changed, problem
from serving_parts import Served

from hydrascope.schemas.errors import SpecError
from hydrascope.serving.equipment.file_store import FileEquipmentStore
from hydrascope.telemetry.zema import ZemaSource


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


def test_a_folder_that_cannot_be_written_is_a_503_and_changes_nothing(
    served: Served, asked: dict[str, Any], zema: ZemaSource
) -> None:
    folder, away = served.settings.equipment, served.settings.equipment.with_name("away")
    machine = zema.machines()["zema"].model_dump(mode="json")
    machine["equipment"]["equipment_id"] = "rig_9"
    reference = {"windows": [{key: asked[key] for key in ("start", "signals")}]}
    folder.rename(away)
    try:
        for refused in (served.post("/v1/equipment", machine), served.put(REFERENCE, reference)):
            content = problem(refused, 503)
            assert content["detail"] == "The folder of machines cannot be written."
            assert refused.headers["retry-after"] == "5"
        problem(served.get("/v1/equipment/rig_9"), 404)
        problem(served.get(REFERENCE), 404)
    finally:
        away.rename(folder)
    assert served.put(REFERENCE, reference).status_code == 200
    assert served.delete(REFERENCE).status_code == 204


@pytest.mark.parametrize("content", [b"file", None])
def test_a_folder_of_machines_that_is_none_is_one_line_at_the_start(
    content: bytes | None, tmp_path: Path
) -> None:
    folder = tmp_path / "machines"
    if content is None:  # a folder where a reference should be
        (folder / "references" / "zema.json").mkdir(parents=True)
    else:
        folder.write_bytes(content)
    with pytest.raises(SpecError, match=r"^equipment: '.*' is not accepted; expected a folder"):
        FileEquipmentStore({}, folder)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("signals.PS99", {"values": [1.0]}, "windows[1].signals.PS99"),
        ("signals.PS1.unit", "degC", "windows[1].signals.PS1.unit"),
        ("signals.PS1.values", [1.0] * 61, "windows[1].signals.PS1.values"),
        ("signals.PS1.rate_hz", None, "windows[1].signals.PS1.rate_hz"),
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
