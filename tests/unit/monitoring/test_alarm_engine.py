"""Windows become alarms by rules, whoever judges them and in how many pieces."""

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from hydrascope.monitoring.engine import Change, Transition, forget, judge
from hydrascope.monitoring.observation import Observation
from hydrascope.monitoring.rules import Rule
from hydrascope.schemas.time import TimeWindow

_MINUTE = timedelta(minutes=1)
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def _window(number: int) -> TimeWindow:
    start = _BEGIN + number * _MINUTE
    return TimeWindow(start=start, end=start + _MINUTE)


def _leak(probability: float, shown: bool | None = None) -> Observation:
    reliable = not math.isnan(probability)
    return Observation("pump", "fault", "leak", "probability", probability, shown, reliable, "")


def _rule(**keys: object) -> Rule:
    given = {"measure": "probability", "above": 0.8, "windows": 3, "of": 4, "over_after": 2}
    return Rule.model_validate({"name": "leaks", **given, **keys})


def _run(rule: Rule, values: list[float]) -> list[tuple[int, Transition]]:
    """Judge a window for each value; the state goes through JSON, as in the database."""
    state: dict[str, object] = {}
    found = []
    for number, value in enumerate(values):
        state, changes = judge([rule], state, _window(number), [_leak(value)])
        state = json.loads(json.dumps(state))
        found += [(number, each) for each in changes]
    return found


def test_an_alarm_is_raised_when_enough_of_the_last_windows_show_the_finding() -> None:
    found = _run(_rule(), [0.9, 0.1, 0.9, 0.1, 0.9, 0.95])
    ((number, alarm),) = found
    assert (number, alarm.change) == (5, Change.RAISED)
    assert alarm.since == _window(2).start.isoformat()
    assert (alarm.windows, alarm.peak) == (3, 0.95)
    assert (alarm.component_id, alarm.head, alarm.finding) == ("pump", "fault", "leak")


def test_an_alarm_is_over_after_enough_windows_in_a_row_beyond_the_second_threshold() -> None:
    values = [0.9, 0.9, 0.9, 0.7, 0.4, 0.7, 0.4, 0.4, 0.9]
    found = _run(_rule(over=0.5), values)
    assert [(number, each.change) for number, each in found] == [
        (2, Change.RAISED),
        (7, Change.OVER),
    ]
    assert found[-1][1].windows == 3


def test_unreliable_windows_neither_raise_an_alarm_nor_end_it() -> None:
    nan = math.nan
    assert not _run(_rule(), [0.9, nan, nan, 0.9, nan, nan, 0.9])
    found = _run(_rule(over=0.5), [0.9, 0.9, 0.9, 0.4, nan, nan, nan, 0.9])
    assert [each.change for _, each in found] == [Change.RAISED, Change.LASTS]


def test_too_few_reliable_windows_raise_no_alarm() -> None:
    values = [0.9, math.nan, 0.9]
    keys = {"windows": 2, "of": 4}
    assert _run(_rule(**keys, coverage=0.5), values)
    assert not _run(_rule(**keys, coverage=0.9), values)


def test_low_values_are_judged_from_the_other_side() -> None:
    rule = _rule(above=None, below=0.2, over=0.6, windows=2)
    found = _run(rule, [0.9, 0.1, 0.05, 0.5, 0.7, 0.7])
    assert [each.change for _, each in found] == [Change.RAISED, Change.OVER]
    assert found[0][1].peak == 0.05


def test_without_a_threshold_the_verdict_of_the_model_counts() -> None:
    rule = _rule(above=None, windows=2, of=2)
    state: dict[str, object] = {}
    changes: list[Transition] = []
    for number, shown in enumerate((False, True, True, None)):
        state, changes = judge([rule], state, _window(number), [_leak(0.5, shown)])
        assert bool(changes) is (number == 2)


def test_an_alarm_begins_with_a_sure_verdict_and_lasts_as_long_as_the_verdict_does() -> None:
    rule = _rule(above=None, confidence=0.5, windows=2, of=2, over_after=2)
    numbers = [(0.4, True), (0.6, False), (0.6, True), (0.7, True), (0.2, True), (0.2, False)]
    numbers += [(0.2, True), (0.1, False), (0.6, False)]
    state: dict[str, object] = {}
    found = []
    for number, (probability, shown) in enumerate(numbers):
        state, changes = judge([rule], state, _window(number), [_leak(probability, shown)])
        found += [(number, each.change) for each in changes if each.change is not Change.LASTS]
    assert found == [(3, Change.RAISED), (8, Change.OVER)]


def test_the_alarms_of_a_window_depend_on_the_windows_before_it_alone() -> None:
    """An independent count over the whole sequence, with numbers drawn at random."""
    drawn = np.random.default_rng(3).uniform(size=400)
    values = [math.nan if value < 0.1 else float(value) for value in drawn]
    rule = _rule(above=0.6, windows=3, of=5, over_after=3, coverage=0.0)
    lasting, clear, expected = False, 0, []
    since_over = 0
    for number, value in enumerate(values):
        if math.isnan(value):
            continue
        if lasting:
            clear = clear + 1 if value < 0.6 else 0
            if clear == 3:
                lasting, since_over = False, number + 1
                expected.append((number, Change.OVER))
            elif value >= 0.6:
                expected.append((number, Change.LASTS))
            continue
        last = values[max(since_over, number - 4) : number + 1]
        if sum(each >= 0.6 for each in last) >= 3:
            lasting, clear = True, 0
            expected.append((number, Change.RAISED))
    assert [(number, each.change) for number, each in _run(rule, values)] == expected


def test_coverage_counts_for_verdicts_of_the_model_too() -> None:
    windows = [(0.9, True), (math.nan, False), (0.9, True), (0.9, True), (0.9, True)]
    for coverage, raised in ((0.5, [2]), (1.0, [4])):
        rule = _rule(above=None, windows=2, of=3, coverage=coverage)
        state: dict[str, object] = {}
        found = []
        for number, given in enumerate(windows):
            state, changes = judge([rule], state, _window(number), [_leak(*given)])
            found += [number for each in changes if each.change is Change.RAISED]
        assert found == raised


def _both(rule: Rule, *windows: tuple[float, float]) -> list[tuple[int, str, Change]]:
    """Judge a leak by the machine's head and by that of the pump; leave out what only lasts."""
    state: dict[str, object] = {}
    found = []
    for number, (machine, pump) in enumerate(windows):
        given = [_leak(machine)._replace(component_id="", head="faults"), _leak(pump)]
        state, changes = judge([rule], state, _window(number), given, {"faults": "fault"})
        state = json.loads(json.dumps(state))
        found += [
            (number, each.component_id, each.change)
            for each in changes
            if each.change is not Change.LASTS
        ]
    return found


def test_a_finding_of_a_component_and_of_its_machine_is_one_alarm() -> None:
    rule = _rule(windows=2, of=2, over_after=2, fold=2)
    none, machine, pump, both = (0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9)
    raised = (1, "pump", Change.RAISED)
    for shown in ((both, both), (pump, pump, both, both), (pump, pump, pump, machine, both)):
        assert _both(rule, *shown, none, none) == [raised, (len(shown) + 1, "pump", Change.OVER)]
    # The machine shows it first, and waits.
    assert _both(rule, machine, machine, both, both, both) == [(3, "pump", Change.RAISED)]


def test_a_finding_of_the_machine_alone_has_its_alarm_after_it_has_waited() -> None:
    rule = _rule(windows=2, of=2, over_after=2, fold=2)
    none, machine, both = (0.1, 0.1), (0.9, 0.1), (0.9, 0.9)
    raised = (3, "", Change.RAISED)
    assert _both(rule, *[machine] * 4, none, none) == [raised, (5, "", Change.OVER)]
    # One that is over before it has waited was none.
    assert not _both(rule, machine, machine, none, none)
    # What a component shows later is an alarm of its own.
    assert _both(rule, *[machine] * 4, both, both) == [raised, (5, "pump", Change.RAISED)]
    # The component is sound again, the machine is not.
    assert _both(rule, both, both, *[machine] * 4) == [
        (1, "pump", Change.RAISED),
        (3, "pump", Change.OVER),
        (5, "", Change.RAISED),
    ]


def test_without_folding_or_with_other_heads_both_have_their_alarm() -> None:
    both = [(0.9, 0.9)] * 2
    alone = [(1, "pump", Change.RAISED), (1, "", Change.RAISED)]
    assert _both(_rule(windows=2, of=2, fold=0), *both) == alone
    rule, state = _rule(windows=1, of=1), dict[str, object]()
    given = [_leak(0.9)._replace(component_id="", head="another"), _leak(0.9)]
    _, changes = judge([rule], state, _window(0), given, {"faults": "fault"})
    assert [each.component_id for each in changes] == ["pump", ""]


def test_a_finding_that_is_forgotten_is_raised_anew() -> None:
    rule, state = _rule(), dict[str, object]()
    for number in range(5):
        state, changes = judge([rule], state, _window(number), [_leak(0.9)])
    assert [each.change for each in changes] == [Change.LASTS]
    state = forget(state, "leaks", "pump", "fault", "leak")
    for number in range(5, 8):
        state, changes = judge([rule], state, _window(number), [_leak(0.9)])
    assert [each.change for each in changes] == [Change.RAISED]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"windows": 7, "of": 6}, "expected at most `of`"),
        ({"above": 0.5, "below": 0.1}, "expected one of them"),
        ({"measure": None}, "need a measure"),
        ({"over": 0.9}, "wrong side"),
        ({"above": 80}, "above: 80 of a probability; expected 0 to 1"),
        ({"above": None, "over": 0.9}, "needs above or below"),
        ({"confidence": 0.5}, "expected one of them"),
        ({"severity": "urgent"}, "critical"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _rule(**keys)
