"""What a watch has found, as the service shows it: overview, past, signals, alarms, events."""

import csv
import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.support.services import service
from tests.support.watch_workers import kept
from tests.support.watched_rigs import START
from tests.support.watched_service import WINDOW, WINDOWS, Client, Watched


def test_the_overview_shows_all_machines_and_finds_some(watched: Watched) -> None:
    found = watched.reader("overview").content
    assert found["total"] == 2
    ends = {name: start + WINDOW for name, start in sorted(kept(watched.dsn))}
    for machine in found["machines"]:
        assert datetime.fromisoformat(machine["last_seen"]) == ends[machine["equipment_id"]]
        assert machine["trend"]
        assert machine["open_alarms"] > 0
        assert (machine["worst"], bool(machine["finding"])) == ("warning", True)
    assert watched.reader("overview", search="RIG_1").content["total"] == 1
    assert watched.reader("overview", limit=0).status == 422


def test_the_past_is_paged_and_is_what_was_written(watched: Watched) -> None:
    path = "equipment/rig_0/diagnoses"
    pages, cursor = [], None
    while cursor != "":
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = watched.reader(path, **query).content
        pages.append(page["diagnoses"])
        cursor = page["next"] or ""
    found = [each for page in pages for each in page]
    starts = [datetime.fromisoformat(each["window"]["start"]) for each in found]
    assert starts == sorted((start for name, start in kept(watched.dsn) if name == "rig_0"))[::-1]
    content = json.loads(kept(watched.dsn)["rig_0", starts[0]].content)
    assert found[0]["machine"] == content["machine"]
    some = watched.reader(path, **{"from": START + WINDOW, "to": START + 3 * WINDOW}).content
    assert len(some["diagnoses"]) == 2
    assert watched.reader(path, cursor="x").status == 422
    assert watched.reader("equipment/nobody/diagnoses").status == 404


def test_numbers_over_time_are_by_window_or_hour_and_a_table(watched: Watched) -> None:
    path = "equipment/rig_0/series"
    span = {"from": START - timedelta(hours=1), "to": START + timedelta(hours=2)}
    fine = watched.reader(path, **span).content
    coarse = watched.reader(path, **span, points=4).content
    assert (fine["resolution"], coarse["resolution"]) == ("window", "hour")

    def lines(answer: Any) -> dict[tuple[str, ...], Any]:
        names = ("component_id", "head", "label", "measure")
        return {tuple(each[name] for name in names): each["points"] for each in answer["series"]}

    assert lines(fine).keys() == lines(coarse).keys()
    for name, points in lines(fine).items():
        ((_, mean, lowest, highest),) = lines(coarse)[name]
        values = [value for _, value, _, _ in points]
        assert mean == pytest.approx(sum(values) / len(values), abs=1e-5)
        assert (lowest, highest) == pytest.approx((min(values), max(values)), abs=1e-5)
    table = watched.reader(path, **span, format="csv")
    assert table.kind == "text/csv"
    rows = list(csv.DictReader(io.StringIO(table.content)))
    assert len(rows) == sum(map(len, lines(fine).values()))
    assert watched.reader(path, **{"from": START, "to": START}).status == 422


def test_the_signals_of_a_window_are_shown_with_the_state_of_their_sensors(
    watched: Watched,
) -> None:
    found = watched.reader("equipment/rig_0/signals", start=START, points=20).content
    assert datetime.fromisoformat(found["end"]) == START + WINDOW
    assert {each["state"] for each in found["signals"].values()} == {"ok"}
    for signal in found["signals"].values():
        assert 0 < len(signal["values"]) <= 20
        assert all(low <= high for _, low, high in signal["values"])
    nothing = watched.reader("equipment/rig_0/signals", start=START - timedelta(days=3))
    assert nothing.status == 422


def test_an_alarm_is_acknowledged_commented_and_closed_by_those_who_may(watched: Watched) -> None:
    ask, reader = watched.ask, watched.reader
    alarms = ask("alarms", state="open").content["alarms"]
    alarm = next(each for each in alarms if each["over_at"] is None)
    path = f"alarms/{alarm['alarm_id']}"
    assert alarm["drivers"]
    assert sum(each["share"] for each in alarm["drivers"]) <= 1 + 1e-9
    assert {each["sensor"] for each in alarm["drivers"]} <= {
        sensor["id"]
        for component in ask(f"equipment/{alarm['equipment_id']}").content["machine"]["topology"][
            "components"
        ]
        for sensor in component["sensors"]
    }
    assert reader(f"{path}/acknowledge", {}).status == 403
    ask(f"{path}/comment", {"note": "seen from the gallery"})
    ask(f"{path}/acknowledge", {"note": "mine"})
    assert ask(f"{path}/close", {"verdict": "guessed"}).status == 422
    assert ask(f"{path}/close", {"repaired_at": "2026-01-01T00:00:00Z"}).status == 422
    closed = ask(f"{path}/close", {"verdict": "false_alarm", "note": "tested"}).content
    assert (closed["state"], closed["verdict"]) == ("closed", "false_alarm")
    said = [(each["action"], each["actor"]) for each in closed["events"]]
    assert said[-3:] == [("commented", "anna"), ("acknowledged", "anna"), ("closed", "anna")]
    assert reader(path).content == closed
    sound = _label(closed)
    assert reader(f"{path}/verdict", {"verdict": "confirmed"}).status == 403
    assert ask(f"{path}/verdict", {}).status == 422
    judged = ask(f"{path}/verdict", {"verdict": "confirmed", "note": "after all"}).content
    assert (judged["state"], judged["verdict"]) == ("closed", "confirmed")
    assert judged["events"][-1]["verdict"] == "confirmed"
    fault = _label(judged)
    assert (sound["starts"], sound["ends"]) == (fault["starts"], fault["ends"])
    assert (fault["starts"], fault["ends"]) == (alarm["since"], alarm["last_at"])
    assert sound["content"].keys() == fault["content"].keys()
    assert sound["content"] != fault["content"]
    assert fault["author"] == "anna"
    again = ask(f"{path}/acknowledge", {})
    assert again.status == 422
    assert "expected open" in again.content["errors"][0]["message"]
    assert ask("alarms/999999").status == 404
    assert ask("alarms/0").status == 422
    assert ask("alarms", color="red").status == 422


def _label(alarm: dict[str, Any]) -> dict[str, Any]:
    """Return the only label of a verdict."""
    (label,) = alarm["labels"]
    found: dict[str, Any] = label
    return found


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("overview", {"serach": "rig_1"}, "serach"),
        ("overview", {"search": "\0"}, "search"),
        ("alarms", {"equipment_id": "\0"}, "equipment_id"),
        ("equipment/rig_0/diagnoses", {"since": "2026-01-01T00:00:00Z"}, "since"),
        ("equipment/rig_0/diagnoses", {"from": START + WINDOW, "to": START}, "to"),
        ("equipment/rig_0/signals", {"start": START, "end": START + WINDOW}, "end"),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused_by_its_key(
    watched: Watched, path: str, query: dict[str, Any], field: str
) -> None:
    refused = watched.reader(path, **query)
    assert refused.status == 422
    assert [each["field"] for each in refused.content["errors"]] == [field]


def test_a_text_that_a_database_cannot_keep_is_refused_and_does_no_harm(watched: Watched) -> None:
    machine = watched.reader("equipment/rig_0").content["machine"]
    machine["equipment"] |= {"equipment_id": "rig_7", "name": "Rig\0"}
    silence = {"starts": "2026-01-01T00:00:00Z", "ends": "2099-01-01T00:00:00Z", "rule": "\0"}
    for path, body in (
        ("equipment", machine),
        ("silences", silence),
        ("alarms/1/comment", {"note": "\0"}),
    ):
        refused = watched.ask(path, body)
        assert refused.status == 422
        assert "U+0000" in refused.content["errors"][0]["message"]
    assert watched.reader("overview").content["total"] == 2


def test_silences_are_kept_until_they_end(watched: Watched) -> None:
    body = {
        "equipment_id": "rig_0",
        "starts": "2026-01-01T00:00:00Z",
        "ends": "2099-01-01T00:00:00Z",
    }
    made = watched.ask("silences", body)
    assert made.status == 201
    assert watched.reader("silences").content == [made.content]
    number = made.content["silence_id"]
    assert watched.ask(f"silences/{number}", method="DELETE").status == 204
    assert watched.ask(f"silences/{number}", method="DELETE").status == 404
    assert watched.ask("silences", body | {"equipment_id": "nobody"}).status == 422
    assert watched.ask("silences", body | {"ends": "9999-12-31T23:59:59-14:00"}).status == 422


def test_what_changes_is_told_as_it_happens(watched: Watched) -> None:
    lines = watched.reader.events()
    assert next(lines) == "retry: 5000"
    watched.watch()
    told: dict[str, Any] = {}
    while "diagnosis" not in told:
        line = next(lines)
        if line.startswith("event: "):
            told[line.removeprefix("event: ")] = json.loads(next(lines).removeprefix("data: "))
    lines.close()  # type: ignore[attr-defined]
    assert told["diagnosis"]["equipment_id"] in ("rig_0", "rig_1")
    assert datetime.fromisoformat(told["diagnosis"]["end"]) > START + (WINDOWS - 1) * WINDOW


def test_without_a_database_the_overview_is_of_this_process_and_alarms_say_what_they_need(
    light_bundle: Path,
) -> None:
    with service(light_bundle) as running:
        ask = Client(running.port, "")
        found = ask("overview").content
        assert found["total"] >= 1
        assert found["machines"][0]["last_seen"] is None
        refused = ask("alarms")
        assert (refused.status, refused.kind) == (404, "application/problem+json")
        assert "database=" in refused.content["detail"]
        assert ask(f"overview?search={quote('no such machine')}").content["total"] == 0
