"""Which samples count, whoever brings them."""

import numpy as np
import pytest

from hydrascope.schemas import SensorSpec
from hydrascope.schemas.samples import (
    BAD_QUALITY,
    EMPTY,
    GOOD,
    OUT_OF_RANGE,
    judge,
    judged,
)

VALUE = np.array([0.0, 400.0, -0.1, 400.1, np.nan, np.inf, 1e39])


@pytest.fixture
def pressure() -> SensorSpec:
    return SensorSpec(id="p", kind="pressure", unit="bar", rate_hz=10, range=(0.0, 400.0))


def test_the_ends_of_a_range_are_in_it_and_what_float32_cannot_hold_is_empty(
    pressure: SensorSpec,
) -> None:
    expected = [GOOD, GOOD, OUT_OF_RANGE, OUT_OF_RANGE, EMPTY, EMPTY, EMPTY]
    assert judge(VALUE, pressure).tolist() == expected
    assert judge(VALUE, None).tolist() == [GOOD] * 4 + [EMPTY] * 3


def test_a_bad_flag_counts_before_the_range_but_makes_no_sample_of_nothing(
    pressure: SensorSpec,
) -> None:
    flagged = np.array([False, True, True, False, True, False, False])
    expected = [GOOD, BAD_QUALITY, BAD_QUALITY, OUT_OF_RANGE, EMPTY, EMPTY, EMPTY]
    assert judge(VALUE, pressure, flagged).tolist() == expected


def test_samples_are_without_the_empty_ones_and_good_ones_alone_count(
    pressure: SensorSpec,
) -> None:
    samples = judged(np.arange(7), VALUE, pressure)
    assert samples.time_us.tolist() == [0, 1, 2, 3]
    assert samples.value.dtype == np.float32
    assert samples.good().time_us.tolist() == [0, 1]
