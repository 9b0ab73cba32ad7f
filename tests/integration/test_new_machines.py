"""Machines of builds that training has not shown, in the bundle of a model that reads any build."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from jobs import ROOT
from serving_parts import window_json
from tests.support.services import service

from hydrascope.experiment.restore import Restored, restore
from hydrascope.packaging.bundle import Bundle, read_bundle
from hydrascope.schemas import Machine, SpecError, TimeWindow
from hydrascope.schemas.fitness import PREFIX
from hydrascope.serving.diagnosis.diagnosis import Diagnosis, build_diagnosis
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import ReferenceUse, TelemetryWindow, WindowAnswer
from hydrascope.telemetry.zema import ZemaSource


@pytest.fixture(scope="module")
def restored(ckpt_of_any: str) -> Restored:
    return restore(ckpt_of_any)


@pytest.fixture(scope="module")
def opened(bundle_of_any: Path) -> Bundle:
    return read_bundle(bundle_of_any)


@pytest.fixture(scope="module")
def held_out(restored: Restored) -> str:
    """The first machine of the kind that was held out."""
    data = restored.data
    names = data.table["equipment_id"].iloc[data.split.test]
    assert len(data.table["kind"].iloc[data.split.test].unique()) == 1
    return str(names.iloc[0])


def renamed(machine: Machine, name: str = "new") -> Machine:
    """The same machine under another name, of a build of that name."""
    plain = machine.model_dump(mode="json")
    plain["equipment"]["equipment_id"] = plain["topology"]["id"] = name
    return Machine.model_validate(plain)


def spoilt(machine: Machine, what: str) -> Machine:
    """The machine with a kind of sensor or component that no other has."""
    plain = renamed(machine).model_dump(mode="json")
    component = plain["topology"]["components"][0]
    if what == "component":
        component["kind"] = "flux_capacitor"
        plain["topology"]["component_kinds"] = ["flux_capacitor"]
    else:
        component["sensors"][0] |= {"kind": "strain", "unit": "um/m", "range": None}
        plain["topology"]["sensor_kinds"] = {"strain": ["um/m"]}
    return Machine.model_validate(plain)


def test_a_machine_of_any_build_of_known_kinds_is_accepted(
    opened: Bundle, restored: Restored, held_out: str, zema: ZemaSource
) -> None:
    served = ServedModel(opened)
    served.check(renamed(restored.data.machines[held_out]))
    served.check(zema.machines()["zema"])


@pytest.mark.parametrize("what", ["component", "sensor"])
def test_a_kind_that_the_model_does_not_know_is_refused_by_name_in_one_line(
    what: str, opened: Bundle, restored: Restored, held_out: str
) -> None:
    machine = spoilt(restored.data.machines[held_out], what)
    component = machine.topology.components[0]
    part = component if what == "component" else component.sensors[0]
    with pytest.raises(SpecError) as refused:
        ServedModel(opened).check(machine)
    said = str(refused.value)
    assert said.startswith(f"{what} {part.id!r} is of kind {part.kind!r}, which is unknown")
    assert "known: p" in said  # pump, …; pressure, …
    assert len(said.splitlines()) == 1


def test_a_bundle_with_weights_of_single_sensors_says_why_it_refuses_and_what_reads_any_build(
    bundle: Path, zema: ZemaSource
) -> None:
    served = ServedModel(read_bundle(bundle))
    served.check(zema.machines()["zema"])
    with pytest.raises(SpecError) as refused:
        served.check(renamed(zema.machines()["zema"]))
    said = str(refused.value)
    assert "of build 'new' is unknown to this model, which has weights or statistics" in said
    assert "experiment=fleet_unseen_kind" in said
    assert len(said.splitlines()) == 1


def recorded(restored: Restored, equipment_id: str, row: int, machine: Machine) -> TelemetryWindow:
    """A window of the data set as one of `machine`."""
    data = restored.data
    start = data.table["start"].iloc[row].to_pydatetime()
    extent = TimeWindow(start=start, end=start + timedelta(seconds=data.window.window_s))
    return TelemetryWindow(machine, start, data.source.read(equipment_id, extent))


def rows_of(restored: Restored, equipment_id: str, *, reference: bool) -> list[int]:
    data = restored.data
    mine = (data.table["equipment_id"] == equipment_id).to_numpy()
    return np.flatnonzero(mine & (data.reference == reference)).tolist()


def reference_json(restored: Restored, equipment_id: str, machine: Machine) -> dict[str, Any]:
    """The reference windows of one of the data set's machines, as a client sends them."""
    windows = [
        window_json(recorded(restored, equipment_id, row, machine))
        for row in rows_of(restored, equipment_id, reference=True)
    ]
    assert len(windows) == 2
    return {"windows": windows}


def evaluated(restored: Restored, row: int, window: TelemetryWindow, opened: Bundle) -> Diagnosis:
    """What an evaluation says of a window of the data set, in words."""
    inputs = restored.data.dataset.gather([row]).inputs
    found = {name: each.numpy() for name, each in restored.diagnoser.predict(inputs).items()}
    heads = {
        head.name: found[head.name] if head.level == "component" else found[head.name][0]
        for head in opened.manifest.task.heads
    }
    sensors = inputs.sensor_slot.shape[0]
    fitness = {name: each[:, 0] for name, each in found.items() if name.startswith(PREFIX)}
    answer = WindowAnswer(
        heads,
        {},
        np.ones(sensors),
        inputs.sensor_observed.numpy(),
        np.zeros(sensors),
        ReferenceUse.GIVEN,
        fitness,
    )
    return build_diagnosis(window, answer, opened.manifest, "expected")


def assert_alike(answer: dict[str, Any], expected: Diagnosis) -> None:
    """All numbers of two answers are the same to 1e-5."""
    plain = expected.model_dump(mode="json")
    assert answer["components"].keys() == plain["components"].keys()
    count = 0
    for place in ("machine", *answer["components"]):
        mine = answer["machine"] if place == "machine" else answer["components"][place]
        other = plain["machine"] if place == "machine" else plain["components"][place]
        for head, found in mine.items():
            assert found["reliable"] == other[head]["reliable"]
            for key in ("probabilities", "values", "value", "right"):
                if found[key] is not None:
                    assert found[key] == pytest.approx(other[head][key], abs=1e-5)
                    count += 1
    assert count > 20


def test_a_service_answers_for_a_machine_of_a_held_out_kind_as_an_evaluation_does(
    bundle_of_any: Path, opened: Bundle, restored: Restored, held_out: str, tmp_path: Path
) -> None:
    machine = renamed(restored.data.machines[held_out])
    path, given = "/v1/equipment/new/reference", reference_json(restored, held_out, machine)
    rows = rows_of(restored, held_out, reference=False)[:3]
    windows = [recorded(restored, held_out, row, machine) for row in rows]
    asked = [window_json(window) | {"equipment_id": "new"} for window in windows]

    def answers(client: httpx.Client) -> list[dict[str, Any]]:
        responses = [client.post("/v1/diagnose", json=each) for each in asked]
        assert all(each.status_code == 200 for each in responses), responses[0].text
        return [each.json() for each in responses]

    with running(bundle_of_any, tmp_path) as client:
        added = client.post("/v1/equipment", json=machine.model_dump(mode="json"))
        assert added.status_code == 201, added.text
        refused = client.post("/v1/diagnose", json=asked[0])
        assert refused.status_code == 422
        (fault,) = refused.json()["errors"]
        assert fault["field"] == "reference"
        assert "PUT some from a time when it was sound to /v1/equipment/new/" in fault["message"]
        verdict = client.put(path, json=given)
        assert verdict.status_code == 200, verdict.text
        sensors = {sensor.id for _, sensor in machine.topology.sensors}
        told = {name for window in given["windows"] for name in window["signals"]}
        assert verdict.json() == {
            "equipment_id": "new",
            "windows": 2,
            "reference": "given",
            "silent": sorted(sensors - told),
        }
        found = answers(client)
        for answer, row, window in zip(found, rows, windows, strict=True):
            assert_alike(answer, evaluated(restored, row, window, opened))
            assert answer["reference"] == "given"
    with running(bundle_of_any, tmp_path) as client:  # kept over a restart, and readable
        shown = client.get(path).json()
        assert shown["window_s"] == 120.0
        assert [each["start"] for each in shown["windows"]] == [
            each["start"].replace("+00:00", "Z") for each in given["windows"]
        ]
        for answer, before in zip(answers(client), found, strict=True):
            for key in ("components", "machine"):
                assert answer[key] == before[key]
        # What differs from another reference is another answer.
        assert client.put(path, json={"windows": shown["windows"][:1]}).status_code == 200
        with pytest.raises(AssertionError):
            assert_alike(answers(client)[0], evaluated(restored, rows[0], windows[0], opened))
        assert client.put(path, json={"windows": shown["windows"]}).status_code == 200
        assert_alike(answers(client)[0], evaluated(restored, rows[0], windows[0], opened))
        assert client.delete(path).status_code == 204
        assert client.delete(path).status_code == client.get(path).status_code == 404
        assert client.post("/v1/diagnose", json=asked[0]).status_code == 422


def test_the_example_of_the_documentation_runs(
    bundle_of_any: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (example,) = (each for each in examples if "reference" in each)
    with running(bundle_of_any, tmp_path) as client:
        exec(example.replace("127.0.0.1:8000", f"127.0.0.1:{client.base_url.port}"), {})
    verdict, answer = capsys.readouterr().out.splitlines()
    assert "'reference': 'given'" in verdict
    assert answer.startswith("given {")


@contextmanager
def running(bundle: Path, equipment: Path) -> Iterator[httpx.Client]:
    """A client of a service of its own process, which keeps machines in a folder."""
    with (
        service(bundle, f"equipment={equipment}") as served,
        httpx.Client(base_url=f"http://127.0.0.1:{served.port}", timeout=30.0) as client,
    ):
        yield client
