"""Labels of verdicts over those that were ingested."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np

from hydrascope.telemetry.timescale.label_repository import LabelRow, layered

_START = datetime(2026, 1, 1, tzinfo=UTC)


def _minute(number: int) -> datetime:
    return _START + timedelta(minutes=number)


def test_at_each_moment_the_last_row_that_has_a_label_says_its_value() -> None:
    random = np.random.default_rng(0)
    rows = []
    for number in range(40):
        first, length = random.integers(0, 60), random.integers(1, 20)
        names = random.choice(["pump", "valve", "cooler"], random.integers(1, 3), replace=False)
        content = {str(name): number for name in names}
        rows.append(LabelRow(_minute(int(first)), _minute(int(first + length)), content))
    found = layered(rows)
    for before, after in pairwise(found):
        assert before.starts < before.ends <= after.starts
    for minute in range(85):
        expected: dict[str, float | int | str] = {}
        for row in rows:
            if row.starts <= _minute(minute) < row.ends:
                expected |= row.content
        holding = [row for row in found if row.starts <= _minute(minute) < row.ends]
        assert [row.content for row in holding] == ([expected] if expected else [])


def test_rows_without_overlap_stay_as_they_are() -> None:
    rows = [LabelRow(_minute(n), _minute(n + 1), {"pump": n}) for n in (0, 1, 5)]
    assert layered(rows) == rows
