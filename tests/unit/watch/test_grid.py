"""Where windows lie: always the same, however the telemetry is cut into batches."""

import numpy as np
import pytest

from hydrascope.schemas import SensorSpec
from hydrascope.schemas.samples import Samples
from hydrascope.watch.grid import Grid, Place, can_settle, has_all, lay, stretches

S = 1_000_000


def sensor(rate_hz: float = 1.0, name: str = "p") -> SensorSpec:
    return SensorSpec(id=name, kind="pressure", unit="bar", rate_hz=rate_hz)


def samples(seconds: np.ndarray) -> Samples:
    time_us = np.rint(np.asarray(seconds, dtype=np.float64) * S).astype(np.int64)
    return Samples(time_us, np.ones(len(time_us), np.float32), np.zeros(len(time_us), np.uint8))


def grid(window_s: float = 10, stride_s: float = 10, aligned: bool = False) -> Grid:
    return Grid(round(window_s * S), round(stride_s * S), 3 * S, aligned)


def whole_recording(laid: Grid, seconds: np.ndarray) -> list[int]:
    """The windows of a finished recording by the plain rule, one stretch after the other."""
    starts = []
    cuts = np.flatnonzero(np.diff(seconds) - 1 > 3)
    for part in np.split(seconds, cuts + 1):
        start = part[0] * S
        while start + laid.window_us <= (part[-1] + 1) * S:
            starts.append(int(start))
            start += laid.stride_us
    return starts


def in_batches(
    laid: Grid, seconds: np.ndarray, reach_us: int, most: int, lateness_us: int
) -> list[int]:
    """What a watch finds that reads at most `reach_us` at once, after every fifth sample."""
    found: list[int] = []
    place = Place(int(seconds[0] * S), int(seconds[0] * S), False)
    for count in range(5, len(seconds) + 5, 5):
        newest_us = int(seconds[:count][-1] * S)
        horizon_us = newest_us - lateness_us
        while True:
            end_us = min(newest_us + 1, max(place.upto_us, place.covered_us) + reach_us)
            known = seconds[:count]
            own = samples(known[(known * S >= min(place[:2]) - 2 * S) & (known * S < end_us)])
            there = stretches(laid, place, [sensor()], {"p": own})
            step = lay(laid, place, there, horizon_us, lambda _: False, most)
            found += step.starts_us
            later = known[known * S >= end_us]
            moved = step.place != place
            place = step.place
            if step.starts_us or (moved and len(later) and not step.waits):
                continue
            if step.waits or not len(later) or later[0] * S > horizon_us:
                break
            place = Place(int(later[0] * S), int(later[0] * S), False)
    return found


@pytest.mark.parametrize("stride_s", [10, 4, 25])
@pytest.mark.parametrize("most", [1, 3, 64])
def test_windows_of_a_live_recording_are_those_of_the_finished_one(
    stride_s: float, most: int
) -> None:
    random = np.random.default_rng(int(stride_s) + most)
    steps = np.where(random.random(400) < 0.04, random.integers(2, 40, 400), 1)
    seconds = 7 + np.cumsum(steps).astype(float)
    laid = grid(stride_s=stride_s)
    reach_us = most * laid.stride_us + laid.window_us + laid.max_gap_us + 2 * S
    reach_us = max(reach_us, laid.looked_at_us + laid.max_gap_us + 2 * S)
    found = in_batches(laid, np.append(seconds, seconds[-1] + 500), reach_us, most, 30 * S)
    assert found == whole_recording(laid, seconds)
    assert len(found) > 5


def test_a_window_waits_until_nothing_of_it_can_come_or_all_of_it_is_there() -> None:
    laid, place = grid(), Place(0, 0, True)
    there = [(0, 20 * S)]
    assert lay(laid, place, there, 9 * S, lambda _: False, 9).starts_us == []
    assert lay(laid, place, there, 10 * S, lambda _: False, 9).starts_us == [0]
    assert lay(laid, place, there, 9 * S, lambda start: start == 0, 9).starts_us == [0]
    waits = lay(laid, place, there, 9 * S, lambda _: False, 9)
    assert waits.waits
    assert waits.place == place


def test_a_stretch_whose_start_is_not_final_waits_even_if_its_window_is_complete() -> None:
    laid, place = grid(), Place(10 * S, 10 * S, True)
    there = [(0, 12 * S), (40 * S, 60 * S)]
    early = lay(laid, place, there, 39 * S, lambda _: True, 9)
    assert (early.starts_us, early.waits) == ([], True)
    later = lay(laid, place, there, 40 * S, lambda _: True, 9)
    assert later.starts_us == [40 * S, 50 * S]
    assert later.place == Place(60 * S, 60 * S, True)


def test_an_unsettled_stretch_comes_after_the_windows_before_it() -> None:
    laid, place = grid(aligned=True), Place(0, 0, True)
    there = [(0, 12 * S), (40 * S, 90 * S)]
    first = lay(laid, place, there, 80 * S, lambda _: False, 9)
    assert (first.starts_us, first.unsettled) == ([0], (40 * S, 90 * S))
    second = lay(laid, first.place, there, 80 * S, lambda _: False, 9)
    assert (second.starts_us, second.unsettled) == ([], (40 * S, 90 * S))
    assert can_settle(laid, (40 * S, 90 * S), 70 * S)
    assert not can_settle(laid, (40 * S, 90 * S), 69 * S)
    assert can_settle(laid, (40 * S, 55 * S), 59 * S)  # it has ended


def test_a_window_has_all_its_samples_at_the_sensors_rate_wherever_they_lie_in_it() -> None:
    for offset in (0.0, 0.3, 0.9):
        whole = samples(np.arange(20) + offset)
        assert has_all([sensor()], {"p": whole}, 10 * S, 0)
        without = whole.take(np.arange(20) != 4)
        assert not has_all([sensor()], {"p": without}, 10 * S, 0)
        assert has_all([sensor()], {"p": without}, 10 * S, 10 * S)
    assert not has_all([sensor(), sensor(name="q")], {"p": whole}, 10 * S, 0)
    slow = {"p": samples(np.array([0.0]))}
    assert not has_all([sensor(0.05)], slow, 10 * S, 0)
