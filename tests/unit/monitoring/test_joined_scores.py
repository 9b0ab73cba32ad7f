"""A watch joins the scores of windows as the evaluation does, and raises one alarm."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np

from hydrascope.models.alarm_test import AlarmTest, alarm_begins
from hydrascope.monitoring.engine import Change, Transition, judge
from hydrascope.monitoring.joined_scores import of_single_windows
from hydrascope.monitoring.observation import Observation
from hydrascope.monitoring.rules import read_rules
from hydrascope.schemas.time import TimeWindow

TEST = AlarmTest(1.2)
RULES = of_single_windows(read_rules(None).rules)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def seen(share: float) -> list[Observation]:
    """The machine's score, and components and sensors far beyond their thresholds."""
    known = not np.isnan(share)
    return [
        Observation("", "", "", "normality", share, None, known, ""),
        Observation("pump", "", "", "normality", 50.0, None, True, ""),
        Observation("", "", "p_out", "normality", 50.0, None, True, ""),
    ]


def run(shares: np.ndarray) -> list[tuple[int, Transition]]:
    """Judge windows by the rules that Hydrascope brings; the state goes through JSON."""
    state: dict[str, object] = {}
    found = []
    for number, share in enumerate(shares.tolist()):
        start = BEGIN + number * timedelta(hours=4)
        window = TimeWindow(start=start, end=start + timedelta(minutes=2))
        state, changes = judge(RULES, state, window, seen(share), test=TEST)
        state = json.loads(json.dumps(state))
        found += [(number, each) for each in changes]
    return found


def test_alarms_are_raised_in_the_windows_in_which_the_evaluation_says_they_begin() -> None:
    random = np.random.default_rng(0)
    shares = np.exp(random.normal(-0.1, 0.3, 300) + 0.8 * (np.arange(300) % 100 > 85))
    shares[random.integers(300, size=20)] = np.nan
    begins = np.flatnonzero(alarm_begins(TEST.run(shares)))
    raised = [number for number, each in run(shares) if each.change is Change.RAISED]
    # An alarm of the watch is over only after six windows in a row, so it may bridge a lull.
    assert raised
    assert set(raised) <= set(begins.tolist())
    assert raised[0] == begins[0]
    assert all(each.component_id == "" and each.finding == "" for _, each in run(shares))


def test_the_alarm_is_over_when_the_sum_has_been_low_for_a_while() -> None:
    found = run(np.array([3.0] * 5 + [0.5] * 12))
    changes = [(number, each.change) for number, each in found if each.change is not Change.LASTS]
    assert [change for _, change in changes] == [Change.RAISED, Change.OVER]
    assert changes[0][0] == 2


def test_windows_without_a_score_neither_raise_nor_end_an_alarm() -> None:
    assert run(np.full(50, np.nan)) == []
    found = run(np.array([3.0] * 5 + [np.nan] * 20))
    assert Change.OVER not in {each.change for _, each in found}
