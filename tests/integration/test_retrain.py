"""Retraining on verdicts, and who answers when the alias moves."""

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mlflow import MlflowClient
from retrained_press import MODEL, WINDOW_S, RetrainedPress, signals, start_of
from tests.support.postgres import postgres
from tests.support.services import service
from tests.support.watch_workers import new_database, rows, wait_for, workers
from typer.testing import Result

from hydrascope.packaging.alias import MOVED_ON, REASON, REPLACED, ROLLED_BACK_ON
from hydrascope.packaging.bundle import read_bundle
from hydrascope.packaging.registry import fetch, version_of

pytestmark = pytest.mark.xdist_group("retrain")


@pytest.fixture(scope="module")
def press(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RetrainedPress]:
    """A press whose champion has learned from two hours."""
    with postgres(max_connections="40") as server:
        dsn = new_database(server.dsn(), "retrained")
        plant = RetrainedPress(dsn, tmp_path_factory.mktemp("retrained"))
        plant.record(range(12))
        plant.label(range(12))
        plant.train_champion()
        yield plant


class Grown(NamedTuple):
    """The press two hours later, with verdicts on them, and retrained."""

    press: RetrainedPress
    result: Result
    report: dict[str, Any]


@pytest.fixture(scope="module")
def grown(press: RetrainedPress) -> Grown:
    press.record(range(12, 24))
    press.judge(range(12, 24))
    return Grown(press, *press.retrain("better"))


def _alias(press: RetrainedPress) -> int:
    return version_of(MODEL, press.uri)


def test_data_that_have_not_changed_are_not_learned_again(press: RetrainedPress) -> None:
    done, _ = press.retrain("unchanged")
    assert done.exit_code == 1, done.output
    assert f"{MODEL}: stays at version 1: its data have not changed" in done.output
    assert not (press.folder / "unchanged").exists()


def test_a_challenger_that_is_not_worse_takes_the_alias_and_gives_it_back(
    grown: Grown,
) -> None:
    press, done, report = grown
    assert done.exit_code == 0, done.output
    assert (report["outcome"], report["champion"], report["challenger"]) == ("moved", 1, 2)
    assert _alias(press) == 2

    # The champion has learned from 0 to 96 minutes, the challenger from 0 to 192 minutes.
    held_out = report["held_out"]
    first = datetime.fromisoformat(held_out["from"])
    assert first == start_of(0) + timedelta(minutes=192)
    assert held_out["windows"] == held_out["of_test_windows"] == 48
    judged = report["heads"]["wear"]
    assert judged["rows"] == 48
    assert judged["interval"][0] <= judged["difference"] <= judged["interval"][1]

    version = MlflowClient(press.uri, press.uri).get_model_version("press", "2")
    assert version.tags[REPLACED] == "1"
    assert version.tags[REASON] == version.description == report["reason"]
    assert datetime.fromisoformat(version.tags[MOVED_ON])

    done, report = press.retrain("worse", "model.ridge=1e9")
    assert done.exit_code == 1, done.output
    assert (report["outcome"], report["challenger"]) == ("stays", None)
    assert report["heads"]["wear"]["finding"] == "worse"
    assert "stays at version 2: wear worse" in done.output
    assert _alias(press) == 2

    back = press.roll_back()
    assert (back.exit_code, _alias(press)) == (0, 1)
    assert f"{MODEL}: moved back from version 2 to 1" in back.output
    left = MlflowClient(press.uri, press.uri).get_model_version("press", "2")
    assert datetime.fromisoformat(left.tags[ROLLED_BACK_ON])
    none = press.roll_back()
    assert _alias(press) == 1
    assert "version 1 of models:/press@champion replaced none" in str(none.exception)


def _point(press: RetrainedPress, version: int) -> None:
    """Let the alias point to a version."""
    client = MlflowClient(press.uri, press.uri)
    client.set_registered_model_alias("press", "champion", str(version))


def _versions(press: RetrainedPress, folder: Path) -> tuple[str, str]:
    """Return the bundles' versions of both registered versions."""
    found = []
    for number in (1, 2):
        (folder / str(number)).mkdir()
        path = fetch(f"models:/press/{number}", press.uri, folder / str(number))
        found.append(read_bundle(path).version)
    return found[0], found[1]


def _ask(port: int, number: int) -> dict[str, Any]:
    """Ask for a window of the press; each number is another one."""
    given = {name: {"values": values[:WINDOW_S].tolist()} for name, values in signals(0).items()}
    start = start_of(0) + timedelta(seconds=number)
    body = {"equipment_id": "press_7", "start": start.isoformat(), "signals": given}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/diagnose",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def test_the_service_takes_the_next_version_over_without_losing_a_request(
    grown: Grown, tmp_path: Path
) -> None:
    press = grown.press
    before, after = _versions(press, tmp_path)
    _point(press, 1)
    settings = [f"registry_uri={press.uri}", "follow_s=0.2"]
    with service(Path(MODEL), *settings) as running:
        answered: list[list[str]] = [[], [], []]
        done = threading.Event()

        def ask(mine: list[str], lane: int) -> None:
            number = lane
            while not done.is_set():
                mine.append(_ask(running.port, number)["model"]["version"])
                number += len(answered)

        threads = [
            threading.Thread(target=ask, args=(mine, lane)) for lane, mine in enumerate(answered)
        ]
        for thread in threads:
            thread.start()
        try:
            _wait(lambda: all(len(mine) >= 5 for mine in answered))
            _point(press, 2)
            _wait(lambda: all(mine[-1] == after and mine.count(after) >= 5 for mine in answered))
        finally:
            done.set()
            for thread in threads:
                thread.join()
    for mine in answered:
        # A request that fails ends its thread, so each list is whole; versions change once.
        turn = mine.index(after)
        assert mine == [before] * turn + [after] * (len(mine) - turn)


def test_a_watch_goes_on_with_the_next_version(grown: Grown, tmp_path: Path) -> None:
    press = grown.press
    before, after = _versions(press, tmp_path)
    _point(press, 1)
    given = [
        f"bundle={MODEL}", f"registry_uri={press.uri}", f"database={press.dsn}",
        "follow_s=0.2", "poll_s=1", "lateness_s=0",
    ]  # fmt: skip
    with workers(1, given, tmp_path / "log") as one:
        wait_for(press.dsn, 240, 120)
        _point(press, 2)
        _wait(lambda: "version 2 now" in one.log.read_text())
        press.record(range(24, 25))
        wait_for(press.dsn, 250, 120)
        assert one.stop() == [0]
    counted = rows(
        press.dsn,
        "SELECT bundle, count(*) FROM hydrascope.predictions GROUP BY 1 ORDER BY min(window_end)",
    )
    assert [tuple(row) for row in counted] == [(before, 240), (after, 10)]


def _wait(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)
