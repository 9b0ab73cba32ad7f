"""What a watch has found, as the service shows it: overview, past, signals, alarms, events."""

import csv
import io
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from tests.support.postgres import Server
from tests.support.services import service
from tests.support.watch_workers import kept, new_database, workers
from tests.support.watched_rigs import START, WatchedRigs, save_machines, write

from hydrascope.serving.access.api_keys import new_key

_WINDOWS = 8
_WINDOW = timedelta(seconds=60)
_RULES = """
channels: {nowhere: "json://127.0.0.1:9/"}
page: https://plant.example
rules:
  - {name: shown, measure: probability, windows: 2, of: 3, over_after: 1, notify: [nowhere]}
"""


class Answer(NamedTuple):
    status: int
    kind: str
    content: Any


class Client:
    """Asks a service with a key."""

    def __init__(self, port: int, key: str) -> None:
        self._base, self._key = f"http://127.0.0.1:{port}/v1", key

    def __call__(
        self, path: str, body: Any = None, method: str | None = None, **query: Any
    ) -> Answer:
        address = f"{self._base}/{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, headers, method=method)
        try:
            response = urllib.request.urlopen(request, timeout=20)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            kind, text = response.headers.get_content_type(), response.read().decode()
            return Answer(response.status, kind, json.loads(text) if "json" in kind else text)

    def events(self) -> Iterator[str]:
        """Yield the lines of the stream of events."""
        request = urllib.request.Request(f"{self._base}/events")
        request.add_header("authorization", f"Bearer {self._key}")
        with urllib.request.urlopen(request, timeout=20) as stream:
            for line in stream:
                yield line.decode().rstrip()


class Watched(NamedTuple):
    """A watch that has caught up, and its service."""

    dsn: str
    ask: Client
    reader: Client
    """Has a key that may only read."""
    watch: Callable[[], None]


@pytest.fixture(scope="module")
def watched(
    watch_server: Server, light_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("served")
    dsn = new_database(watch_server.dsn(), "served")
    rigs = WatchedRigs(machines=2, windows=_WINDOWS, seed=5)
    save_machines(dsn, list(rigs.machines.values()))
    rounds = list(rigs.rounds(0.0))
    for parts in rounds[: _WINDOWS - 1]:
        write(dsn, parts)
    rules, keys = folder / "rules.yaml", folder / "keys.yaml"
    rules.write_text(_RULES)
    (all_key, all_hash), (read_key, read_hash) = new_key(), new_key()
    keys.write_text(
        f"keys:\n- {{name: anna, sha256: {all_hash}, scopes: [read, operate, diagnose]}}\n"
        f"- {{name: guest, sha256: {read_hash}, scopes: [read]}}\n"
    )

    def watch() -> None:
        given = [f"bundle={light_bundle}", f"database={dsn}", f"rules={rules}", "--once"]
        with workers(1, given, folder / "log") as one:
            assert one.wait(120) == [0], (folder / "log").read_text()

    watch()

    def more() -> None:
        write(dsn, rounds[_WINDOWS - 1])
        watch()

    with service(light_bundle, f"database={dsn}", f"keys={keys}") as running:
        yield Watched(dsn, Client(running.port, all_key), Client(running.port, read_key), more)


def test_the_overview_shows_all_machines_and_finds_some(watched: Watched) -> None:
    found = watched.reader("overview").content
    assert found["total"] == 2
    ends = {name: start + _WINDOW for name, start in sorted(kept(watched.dsn))}
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
    some = watched.reader(path, **{"from": START + _WINDOW, "to": START + 3 * _WINDOW}).content
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
    assert datetime.fromisoformat(found["end"]) == START + _WINDOW
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
    closed = ask(f"{path}/close", {"verdict": "false_alarm", "note": "tested"}).content
    assert (closed["state"], closed["verdict"]) == ("closed", "false_alarm")
    said = [(each["action"], each["actor"]) for each in closed["events"]]
    assert said[-3:] == [("commented", "anna"), ("acknowledged", "anna"), ("closed", "anna")]
    assert reader(path).content == closed
    again = ask(f"{path}/acknowledge", {})
    assert again.status == 422
    assert "expected open" in again.content["errors"][0]["message"]
    assert ask("alarms/999999").status == 404
    assert ask("alarms/0").status == 422
    assert ask("alarms", color="red").status == 422


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
    assert datetime.fromisoformat(told["diagnosis"]["end"]) > START + (_WINDOWS - 1) * _WINDOW


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
