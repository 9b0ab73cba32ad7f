"""What the benchmark of alarms counts."""

from datetime import timedelta

import numpy as np
import pytest
from benchmarks._alarm_windows import Seen
from benchmarks.alarms import Found, Size, growing_fleet, outcome, poisson_interval, raised

from hydrascope.monitoring.rules import Rule
from hydrascope.simulation.faults import Fault
from hydrascope.telemetry.fleet import START

SIZE = Size(growing=1, growth_h=100.0)
RULE = Rule(name="finding", measure="probability", windows=2, of=3)


def seen(first_h: int, *shown: tuple[bool, bool]) -> Seen:
    """Return windows an hour apart with the flags of a leaking pump and of a hot tank."""
    names = [
        ["pump", "fault", "leakage", "probability"],
        ["", "fault", "overheating", "probability"],
    ]
    flags = np.array(shown, dtype=np.int8)
    hours = first_h + np.arange(len(flags), dtype=np.float64)
    return Seen(hours, 120.0, names, flags.astype(np.float32), flags, np.ones_like(flags, bool))


def test_alarms_are_those_of_a_watch_and_only_what_names_the_fault_counts_as_found() -> None:
    windows = seen(30, (False, True), (False, True), (True, True), (True, False), (True, False))
    alarms = raised([RULE], windows, {})
    assert [each.finding for each in alarms] == ["overheating", "leakage"]
    assert alarms[1].window.end == START + timedelta(hours=33, minutes=2)
    found = outcome(alarms, Fault.LEAKAGE, "pump", SIZE)
    hour = 33 + 2 / 60
    assert found == Found(pytest.approx(hour - 25), pytest.approx(hour / 100), others=1)
    assert outcome(alarms, Fault.LEAKAGE, "motor", SIZE) == Found(None, None, others=2)
    assert outcome(alarms, Fault.OVERHEATING, "tank", SIZE).delay_h == pytest.approx(
        31 + 2 / 60 - 25
    )


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 3.689), (3, 0.619, 8.767)])
def test_the_interval_of_a_count_is_that_of_the_tables(count: int, low: float, high: float) -> None:
    assert poisson_interval(count) == pytest.approx((low, high), abs=5e-4)


def test_a_fault_grows_from_sound_to_failure_on_a_component_that_can_have_it() -> None:
    pumps, valves = (growing_fleet(SIZE, 7, each) for each in (Fault.LEAKAGE, Fault.VALVE_STICTION))
    (course,) = pumps.member("excavator_000").courses
    assert course.severity(np.array([0.0, 25.0, 50.0, 99.0])) == pytest.approx([0, 0.25, 0.5, 0.99])
    (other,) = valves.member("excavator_000").courses
    assert "valve" in other.component
    names = {each.machine_fingerprint("excavator_000") for each in (pumps, valves)}
    assert len(names) == 2
