"""`hydrascope predict --into`: what a watch would have written, each window once."""

import json
from pathlib import Path

import pytest
from answers import assert_same_numbers
from test_watch import in_database, watch_once
from tests.support.postgres import Server
from tests.support.watch_workers import kept, new_database, rows, sums
from tests.support.watched_rigs import WatchedRigs, rig, save_machines
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas.errors import SpecError


def predict(bundle: Path, dsn: str, into: str, folder: Path, *options: str) -> str:
    """Answer the telemetry of one database into another, or the same."""
    source = ["data=timescale", f"data.source.dsn={dsn}", f"data.source.scans={folder / 'scans'}"]
    out = ["--into", into, "--out", str(folder / "predictions")]
    command = ["predict", str(bundle), *source, *out, *options]
    return CliRunner().invoke(app, command, catch_exceptions=False).stdout


def test_the_rows_are_those_of_a_watch_and_written_once(
    light_bundle: Path, watch_server: Server, dsn: str, tmp_path: Path
) -> None:
    rigs = WatchedRigs(machines=2, windows=7, seed=3, gap_after=4)
    in_database(dsn, rigs)
    other = new_database(watch_server.dsn(), "predicted")
    save_machines(other, [rig(name) for name in rigs.machines])
    assert "14 windows" in predict(light_bundle, dsn, other, tmp_path)
    watch_once(light_bundle, dsn, tmp_path, "lateness_s=0")
    watched, found = kept(dsn), kept(other)
    assert watched.keys() == found.keys() == rigs.expected
    for window, one in watched.items():
        assert_same_numbers(json.loads(found[window].content), json.loads(one.content))
        assert found[window].health == pytest.approx(one.health, abs=1e-6)
        assert (one.asked_by, found[window].asked_by) == ("watch", "predict")
    for table in ("hourly", "daily"):
        expected, counted = sums(dsn, table), sums(other, table)
        assert counted.keys() == expected.keys()
        for name, numbers in expected.items():
            assert counted[name] == pytest.approx(numbers, abs=1e-5)
    # What the watch has written stays as it is, and is not counted again.
    before = sums(dsn)
    predict(light_bundle, dsn, dsn, tmp_path / "again")
    assert (kept(dsn), sums(dsn)) == (watched, before)


def test_a_machine_that_the_database_does_not_know_is_refused(
    light_bundle: Path, watch_server: Server, dsn: str, tmp_path: Path
) -> None:
    in_database(dsn, WatchedRigs(machines=1, windows=2, seed=3))
    other = new_database(watch_server.dsn(), "empty")
    with pytest.raises(SpecError, match=r"into: no machine 'rig_0' in .*; there is: none yet"):
        predict(light_bundle, dsn, other, tmp_path)
    assert rows(other, "SELECT count(*) FROM hydrascope.predictions")[0][0] == 0
