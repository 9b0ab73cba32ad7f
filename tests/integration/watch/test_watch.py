"""`hydrascope watch` on a real database: what it finds, waits for, names and survives."""

import json
import time
import urllib.request
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from in_process import run
from tests.support.postgres import Server
from tests.support.services import free_port
from tests.support.watch_workers import kept, rows, sums, wait_for, workers
from tests.support.watched_rigs import START, Part, WatchedRigs, rig, save_machines, write

from hydrascope import Diagnoser
from hydrascope.packaging.bundle import read_bundle
from hydrascope.schemas.machine import Machine

WINDOW = timedelta(seconds=60)


def watch_once(bundle: Path, dsn: str, folder: Path, *settings: str) -> str:
    """Diagnose all that is due; return what was logged."""
    log = folder / "watch.log"
    with workers(1, [f"bundle={bundle}", f"database={dsn}", "--once", *settings], log) as one:
        codes = one.wait(120)
    text = log.read_text()
    assert codes == [0], text
    return text


def in_database(dsn: str, rigs: WatchedRigs, windows: int | None = None) -> None:
    save_machines(dsn, list(rigs.machines.values()))
    for parts in list(rigs.rounds(0.0))[:windows]:
        write(dsn, parts)


def test_the_numbers_are_those_of_python_for_the_same_telemetry(
    light_bundle: Path, dsn: str, tmp_path: Path
) -> None:
    rigs = WatchedRigs(machines=1, windows=9, seed=1, gap_after=4)
    in_database(dsn, rigs)
    watch_once(light_bundle, dsn, tmp_path, "batch=3", "lateness_s=60")
    found = kept(dsn)
    # Python knows the machines of the training only, so this one goes by that one's name.
    frame = pd.concat([rigs.frame(0, window) for window in range(9)])
    reading = {"resample": {"rate_hz": 1.0}}
    diagnoser = Diagnoser.load(light_bundle)
    table = diagnoser.predict(frame, equipment_id="zema", reading=reading)
    assert set(table["start"]) == {start for _, start in found} == {s for _, s in rigs.expected}
    classes = table[table["probability"].notna()]
    assert len(classes) > 9
    for row in classes.itertuples():
        content = json.loads(found["rig_0", row.start].content)
        place = content["components"].get(row.component) or content["machine"]
        answer = str(row.answer) if row.label is None else str(row.label)
        probabilities = place[row.head]["probabilities"]
        expected = probabilities.get(answer, probabilities.get("present"))
        assert row.probability == pytest.approx(expected, abs=1e-5)


def test_a_database_without_telemetry_is_named_once(
    light_bundle: Path, dsn: str, tmp_path: Path
) -> None:
    save_machines(dsn, [rig("rig_0")])
    line = "no machine of '*' has telemetry in hydrascope.telemetry yet"
    assert watch_once(light_bundle, dsn, tmp_path).count(line) == 1
    in_database(dsn, WatchedRigs(machines=1, windows=1, seed=1))
    # The log of both runs has it once.
    assert watch_once(light_bundle, dsn, tmp_path).count(line) == 1


def test_late_telemetry_is_waited_for_and_counted_once_it_is_too_late(
    light_bundle: Path, dsn: str, tmp_path: Path
) -> None:
    rigs = WatchedRigs(machines=1, windows=12, seed=2)
    save_machines(dsn, list(rigs.machines.values()))
    frames = [rigs.frame(0, window) for window in range(12)]
    missing = frames[3][:20]
    frames[3] = frames[3][20:]

    def write_some(*some: pd.DataFrame) -> None:
        write(dsn, [Part("rig_0", 0, False, frame) for frame in some])

    write_some(*frames[:9])
    said = watch_once(light_bundle, dsn, tmp_path, "lateness_s=300")
    # Window 3 ends at 240 s, and the newest sample is of 539 s: it may still be completed.
    assert {start for _, start in kept(dsn)} == {START + each * WINDOW for each in range(3)}
    write_some(missing[:10])
    watch_once(light_bundle, dsn, tmp_path, "lateness_s=300")
    assert len(kept(dsn)) == 3
    write_some(frames[9])  # the newest sample is of 599 s
    watch_once(light_bundle, dsn, tmp_path, "lateness_s=300")
    diagnosed = kept(dsn)
    assert len(diagnosed) == 10
    content = json.loads(diagnosed["rig_0", START + 3 * WINDOW].content)
    (gap,) = content["missing"].values()
    assert gap["samples"] == pytest.approx(10 / 60)
    assert "too late" not in said

    write_some(missing)  # ten of these twenty are there, and as they were
    ((late, first, last),) = rows(
        dsn, "SELECT late_samples, late_first, late_last FROM hydrascope.watches"
    )
    assert (late, first, last) == (10, *missing["time"].iloc[[10, 19]])
    write_some(missing)
    write_some(*frames[10:])
    said = watch_once(light_bundle, dsn, tmp_path, "lateness_s=300")
    assert "rig_0: 10 samples came too late for their windows" in said
    again = kept(dsn)
    assert len(again) == 12
    assert all(again[window] == one for window, one in diagnosed.items())


def test_a_machine_that_the_model_cannot_read_is_named_once_and_the_rest_goes_on(
    light_bundle: Path, dsn: str, tmp_path: Path
) -> None:
    rigs = WatchedRigs(machines=2, windows=4, seed=3)
    plain = rig("odd").model_dump(mode="json")
    plain["topology"]["id"] = "odd_build"
    odd = Machine.model_validate(plain)
    save_machines(dsn, [odd])
    frame = rigs.frame(0, 0)
    write(dsn, [Part("odd", 0, False, frame)])
    in_database(dsn, rigs)
    arguments = [f"bundle={light_bundle}", f"database={dsn}", "poll_s=1", "lateness_s=60"]
    with workers(1, arguments, tmp_path / "log") as one:
        wait_for(dsn, 8, 60)
        time.sleep(2.5)
        assert one.stop() == [0]
    lines = [line for line in one.log.read_text().splitlines() if "odd" in line]
    assert len(lines) == 1
    assert "odd: not diagnosed: " in lines[0]


def test_metrics_tell_windows_lag_and_failures_of_a_bounded_number_of_machines(
    light_bundle: Path, dsn: str, tmp_path: Path
) -> None:
    rigs = WatchedRigs(machines=3, windows=4, seed=4)
    in_database(dsn, rigs)
    port = free_port()
    arguments = [
        f"bundle={light_bundle}", f"database={dsn}", "poll_s=1", "lateness_s=0",
        f"metrics_port={port}", "metrics_machines=2", "machines=rig_[012],none_*",
    ]  # fmt: skip
    with workers(1, arguments, tmp_path / "log") as one:
        wait_for(dsn, 12, 60)
        time.sleep(1.5)
        told = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
        assert one.stop() == [0]
    values = dict(line.rsplit(" ", 1) for line in told.splitlines() if line[0] != "#")
    assert values["hydrascope_watch_windows_total"] == "12.0"
    assert values["hydrascope_watch_machines"] == "3.0"
    assert values['hydrascope_watch_failures_total{what="machine"}'] == "0.0"
    assert float(values["hydrascope_watch_longest_lag_seconds"]) < 60
    assert sum(name.startswith("hydrascope_watch_lag_seconds{") for name in values) == 2


def test_the_sums_are_those_of_the_reliable_numbers(
    light_bundle: Path, dsn: str, tmp_path: Path
) -> None:
    rigs = WatchedRigs(machines=1, windows=6, seed=5)
    in_database(dsn, rigs)
    watch_once(light_bundle, dsn, tmp_path, "lateness_s=60", "least_right=0")
    heads = read_bundle(light_bundle).manifest.task.heads
    head = next(head for head in heads if head.components and len(head.classes) > 1)
    component, name = head.components[0], head.classes[0].name
    numbers = []
    for one in kept(dsn).values():
        finding = json.loads(one.content)["components"][component][head.name]
        if finding["reliable"] is not False:
            numbers.append(finding["probabilities"][name])
    hour, day = START, START.replace(hour=0)
    for table, start in (("hourly", hour), ("daily", day)):
        found = sums(dsn, table)["rig_0", component, head.name, name, "probability", start]
        wanted = (len(numbers), sum(numbers), min(numbers), max(numbers))
        assert found == pytest.approx(wanted, abs=1e-6)
    assert len(numbers) > 0


def test_only_the_last_hours_of_a_machine_are_caught_up_with_where_that_is_asked_for(
    light_bundle: Path, dsn: str, tmp_path: Path
) -> None:
    rigs = WatchedRigs(machines=1, windows=8, seed=6)
    in_database(dsn, rigs)
    watch_once(light_bundle, dsn, tmp_path, "lateness_s=0", "catch_up_s=239")
    assert {start for _, start in kept(dsn)} == {START + each * WINDOW for each in range(4, 8)}


def test_the_command_refuses_in_one_line_and_names_what_is_accepted(
    light_bundle: Path,
    watch_server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def said(*arguments: str) -> tuple[object, str]:
        code = run(["hydrascope", "watch", *arguments], monkeypatch)
        return code, capfd.readouterr().err.strip()

    code, line = said(f"bundle={light_bundle}", "database=postgresql://u@h/n", "poll_s=7")
    assert code == 2
    assert line.startswith("hydrascope watch: poll_s: '7' is not accepted")
    given = [f"bundle={light_bundle}", f"database={watch_server.dsn()}"]  # without our tables
    for more in ([], ["--once"]):
        code, line = said(*given, *more)
        assert code == 2
        assert "run python -m hydrascope db upgrade" in line.splitlines()[-1]
    code, line = said(given[0], f"database={watch_server.dsn('nowhere')}")
    assert code == 2
    assert 'database "nowhere" does not exist' in line.splitlines()[-1]
    rules, wrong = tmp_path / "rules.yaml", "rules: [{name: a, heads: [cooolr]}]\n"
    rules.write_text(f'channels: {{shift: "mial://u:secret@h"}}\n{wrong}')
    code, line = said(*given, f"rules={rules}")
    assert code == 2
    assert "channels.shift: Apprise does not know such an address" in line
    assert "secret" not in line
    rules.write_text(wrong)
    _, line = said(*given, f"rules={rules}")
    assert "rule a: heads: 'cooolr' matches no head of the model; it has: " in line
    code, line = said("bundle=nowhere", f"database={watch_server.dsn()}")
    assert code == 2
    assert "nowhere" in line
    assert "\n" not in line
