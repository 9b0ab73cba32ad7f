"""Half-open windows of time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrascope.schemas import SpecError, TimeWindow, validate

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def hours(start: int, end: int) -> TimeWindow:
    return TimeWindow(start=NOON + timedelta(hours=start), end=NOON + timedelta(hours=end))


def test_the_duration_is_the_time_between_the_ends_whatever_their_zones() -> None:
    tokyo = timezone(timedelta(hours=9))
    window = TimeWindow(start=NOON, end=datetime(2026, 3, 1, 22, tzinfo=tokyo))
    assert window.duration == timedelta(hours=1)


@pytest.mark.parametrize("minutes", [0, -1])
def test_a_window_that_does_not_end_after_its_start_is_refused(minutes: int) -> None:
    with pytest.raises(SpecError, match=r"end: .* after start, 2026-03-01T12:00:00\+00:00"):
        validate(TimeWindow, {"start": NOON, "end": NOON + timedelta(minutes=minutes)})


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(SpecError, match=r"start: .* timezone"):
        validate(TimeWindow, {"start": NOON.replace(tzinfo=None), "end": NOON})


@given(*[st.integers(-5, 5)] * 4)
def test_a_window_contains_those_all_of_whose_hours_are_its_own(
    start: int, end: int, inner_start: int, inner_end: int
) -> None:
    if start < end and inner_start < inner_end:
        expected = set(range(inner_start, inner_end)) <= set(range(start, end))
        assert hours(start, end).contains(hours(inner_start, inner_end)) == expected
