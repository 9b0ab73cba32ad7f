"""The Python client says what the service says, and reaches everything in it."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import httpx
import pandas as pd
import pytest
from tests.support.services import free_port
from tests.support.watch_workers import kept
from tests.support.watched_rigs import START, WatchedRigs
from tests.support.watched_service import WINDOW, Watched

from hydrascope.client import AnswerError, Client
from hydrascope.schemas.errors import ServiceError, SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.diagnosis.requests import DiagnoseRequest, ReferenceRequest
from hydrascope.serving.http.history_views import AlarmView, SilenceRequest
from hydrascope.serving.http.problem_body import Problem

Operation = tuple[str, str]


@pytest.fixture(scope="module")
def client(watched: Watched) -> Iterator[Client]:
    with Client(watched.page, watched.ask.key) as client:
        yield client


def walk(client: Client) -> None:
    """Call every method."""
    machine = client.machine("rig_0").machine
    client.save_machine(Machine.model_validate(machine.model_dump(mode="json")))
    client.check_topology(machine.topology.model_dump(mode="json"))
    client.save_reference("rig_0", ReferenceRequest(windows=[{"start": START}]))
    client.reference("rig_0")
    client.remove_reference("rig_0")
    client.models()
    with pytest.raises(AnswerError, match="404"):
        client.activate("none")
    client.predict("rig_0", start=START)
    client.predict_batch([DiagnoseRequest(equipment_id="rig_0", start=START)])
    client.machines()
    client.overview()
    client.diagnoses("rig_0")
    client.series("rig_0", START, START + WINDOW)
    client.signals("rig_0", START)
    alarm = next(each.alarm_id for each in client.alarms(state="open") if not each.over_at)
    client.alarm(alarm)
    client.comment(alarm, "seen")
    client.acknowledge(alarm)
    client.close_alarm(alarm)
    client.reopen(alarm)
    assert client.judge_alarm(alarm, "false_alarm").verdict == "false_alarm"
    ends = datetime.now(UTC) + timedelta(hours=1)
    silence = client.silence(SilenceRequest(rule="shown", starts=START, ends=ends))
    assert silence in client.silences()
    client.end_silence(silence.silence_id)
    assert isinstance(next_event(client, alarm), AlarmView)


def next_event(client: Client, alarm: int) -> object:
    """Return the first event of a stream while somebody comments an alarm again and again."""
    told = threading.Event()

    def comment() -> None:
        while not told.wait(0.5):
            client.comment(alarm, "still there")

    talk = threading.Thread(target=comment)
    talk.start()
    try:
        return next(client.events())
    finally:
        told.set()
        talk.join()


def test_every_route_of_the_interface_has_a_method(watched: Watched) -> None:
    asked: set[Operation] = set()
    with urlopen(f"{watched.page}openapi.json") as answer:
        paths: dict[str, dict[str, Any]] = json.load(answer)["paths"]
    patterns = {
        re.compile(re.sub(r"\{\w+\}", "[^/]+", path)): path
        for path in sorted(paths, key=lambda path: "{" in path, reverse=True)
    }

    def record(request: httpx.Request) -> None:
        known = [path for each, path in patterns.items() if each.fullmatch(request.url.path)]
        asked.add((request.method.lower(), known[-1]))

    with Client(
        watched.page, watched.ask.key, httpx.Client(event_hooks={"request": [record]})
    ) as all:
        walk(all)
    assert asked == {
        (method, path)
        for path, methods in paths.items()
        if path.startswith("/v1/")
        for method in methods
    }


def test_pages_are_joined(
    client: Client, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, alarms = client.diagnoses("rig_0"), client.alarms(state="open")
    for part in ("history", "alarms"):
        monkeypatch.setattr(f"hydrascope.client.{part}._PAGE", 1)
    pd.testing.assert_frame_equal(client.diagnoses("rig_0"), whole)
    assert [each.alarm_id for each in client.alarms(state="open")] == [
        each.alarm_id for each in alarms
    ]
    assert [each.equipment_id for each in client.overview()] == [
        each["equipment_id"] for each in watched.reader("overview").content["machines"]
    ]


def test_a_table_of_diagnoses_is_what_was_written(client: Client, watched: Watched) -> None:
    table = client.diagnoses("rig_0", START, START + 3 * WINDOW)
    assert [*table["start"].unique()] == [START + each * WINDOW for each in (2, 1, 0)]
    for row in table.itertuples():
        content = json.loads(kept(watched.dsn)["rig_0", row.start.to_pydatetime()].content)
        findings = (
            content["components"][row.component]
            if isinstance(row.component, str)
            else content["machine"]
        )
        found = findings[row.head]
        assert row.reliable == found["reliable"]
        if found["kind"] == "binary":
            assert row.answer is bool(found["flags"])
            assert row.probability == found["probabilities"]["present"]
        else:
            assert row.answer == found["outcome"]
            assert row.probability == found["probabilities"][found["outcome"]]


def test_numbers_over_time_and_signals_are_tables(client: Client, watched: Watched) -> None:
    span = {"from": START, "to": START + 8 * WINDOW}
    told = watched.reader("equipment/rig_0/series", **span).content["series"]
    table = client.series("rig_0", span["from"], span["to"])
    assert len(table) == sum(len(line["points"]) for line in told)
    assert set(table["measure"]) == {line["measure"] for line in told}
    component = next(each for each in table["component_id"] if each)
    own = client.series("rig_0", span["from"], span["to"], component_id=component)
    assert set(own["component_id"]) == {component}
    signals = client.signals("rig_0", START, points=20)
    assert signals.groupby("sensor_id").size().between(1, 20).all()
    assert (signals["low"] <= signals["high"]).all()


def test_a_frame_is_diagnosed_as_the_same_window_of_the_database(client: Client) -> None:
    rows = WatchedRigs(machines=2, windows=8, seed=5).frame(0, 0)
    frame = rows.pivot_table(index="time", columns="sensor_id", values="value")
    sent = client.predict("rig_0", frame)
    kept = client.predict("rig_0", start=START)
    assert sent.window == kept.window
    assert sent.components == kept.components
    answers = client.predict_batch(
        [
            DiagnoseRequest(equipment_id="rig_0", start=START),
            DiagnoseRequest(equipment_id="nobody", start=START),
        ]
    )
    first, second = answers
    assert isinstance(first, Diagnosis)
    assert first.components == kept.components
    assert isinstance(second, Problem)


def test_an_error_is_one_exception_with_the_parts_of_the_problem(
    client: Client, watched: Watched
) -> None:
    with pytest.raises(AnswerError) as refused:
        client.diagnoses("nobody")
    assert (refused.value.status, refused.value.title) == (404, "Not Found")
    assert refused.value.detail == "There is no such machine."
    assert refused.value.request_id
    assert "/v1/equipment/nobody/diagnoses: 404 Not Found: There is" in str(refused.value)
    with pytest.raises(AnswerError) as refused, Client(watched.page, watched.reader.key) as reader:
        reader.acknowledge(1)
    assert refused.value.status == 403
    with pytest.raises(AnswerError) as refused:
        client.series("rig_0", START, START)
    assert [each.field for each in refused.value.errors] == ["to"]
    with pytest.raises(ServiceError, match=r"^http://127.0.0.1:\d+: .*refused"):
        Client(f"http://127.0.0.1:{free_port()}").machines()


def test_what_is_wrong_with_a_request_is_said_by_field(client: Client) -> None:
    with pytest.raises(AnswerError, match=r"422 .*\n  state: Input should be 'open'"):
        client.alarms(state="opened")  # type: ignore[arg-type]
    with pytest.raises(AnswerError, match=r"422 .*\n  from: Input should have timezone"):
        client.diagnoses("rig_0", datetime(2026, 1, 1))
    frame = pd.DataFrame({"PS1": [1.0, 2.0, 3.0]}, index=[START, START + WINDOW, START + WINDOW])
    with pytest.raises(SpecError, match="steps of 0 to 60 s are not accepted; expected rows at"):
        client.predict("rig_0", frame)
    with pytest.raises(SpecError, match="url: 'plant' is not accepted"):
        Client("plant")


def test_the_client_takes_neither_torch_nor_a_server() -> None:
    heavy = ("torch", "lightning", "fastapi", "uvicorn", "asyncpg", "redis")
    check = (
        f"import sys, hydrascope.client; print([each for each in {heavy} if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
