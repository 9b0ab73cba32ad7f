"""The benchmark of the database in small: loosely, because other tests run beside it."""

import pytest
from benchmarks import timescale


@pytest.mark.slow
def test_reading_and_writing_hold_their_goals_loosely() -> None:
    found = {row["name"]: row["value"] for row in timescale.run(10_000, 30_000, peers=False)}
    assert found["ours / asyncpg fetch + DataFrame"] > 3.0
    assert found["ingest from Parquet / psql \\copy"] > 0.3
    # Half a million rows: what the process needs at any size weighs more than with five million.
    assert found["peak memory of a fetch / its result"] < 4.0
    assert found["iterating over 2 million rows: memory of the process"] < 300.0
