"""Exactly once: workers are killed, the database stops, telemetry is late."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from answers import assert_same_numbers
from tests.support.postgres import Server, postgres
from tests.support.watch_chaos import Disturbances, disturbed, undisturbed
from tests.support.watch_workers import alarms, kept, rows, sums
from tests.support.watched_rigs import WatchedRigs


@pytest.fixture(scope="module")
def own_server(forks: None) -> Iterator[Server]:
    with postgres(max_connections="60") as running:
        yield running


def test_each_window_is_diagnosed_once_through_kills_and_stops_as_without_them(
    own_server: Server, light_bundle: Path, tmp_path: Path
) -> None:
    rigs = WatchedRigs(machines=5, windows=14, gap_after=6)
    what = Disturbances(kills=3, stops=1, late_share=0.2, seconds=12)
    calm = undisturbed(own_server, rigs, light_bundle, tmp_path, "calm")
    wild, codes = disturbed(own_server, rigs, light_bundle, tmp_path, "wild", what)
    assert codes == [0, 0], (tmp_path / "wild.log").read_text()
    expected, found = kept(calm), kept(wild)
    assert set(expected) == set(found) == rigs.expected
    for window, one in expected.items():
        assert_same_numbers(json.loads(found[window].content), json.loads(one.content))
    expected_alarms = alarms(calm)
    assert {over for *_, over, _ in expected_alarms} > {None}  # some last, some are over
    assert alarms(wild) == expected_alarms
    for table in ("hourly", "daily"):
        counted = sums(wild, table)
        assert counted.keys() == sums(calm, table).keys()
        for series, numbers in sums(calm, table).items():
            assert counted[series][0] == numbers[0], series
            assert counted[series][1:] == pytest.approx(numbers[1:], abs=1e-4)
    assert rows(wild, "SELECT sum(late_samples) FROM hydrascope.watches")[0][0] == 0
