"""The errors of sensors are as large as stated, and each sensor keeps its own."""

import numpy as np
import pytest

from hydrascope.schemas import SensorSpec
from hydrascope.simulation.instruments import ACCURACY, BITS, SensorGroup


def sensor(kind: str, unit: str, low: float, high: float) -> SensorSpec:
    return SensorSpec(id=f"the_{kind}", kind=kind, unit=unit, rate_hz=10.0, range=(low, high))


@pytest.mark.parametrize(
    ("kind", "unit", "span", "truth"),
    [
        ("pressure", "bar", 400.0, 150.0),
        ("flow", "l/min", 600.0, 300.0),
        ("vibration", "mm/s", 60.0, 4.0),
        ("temperature", "degC", 150.0, 50.0),
    ],
)
def test_the_spread_between_machines_is_that_of_the_data_sheet(
    kind: str, unit: str, span: float, truth: float
) -> None:
    signal = np.full((1, 100), truth)
    reading = [
        np.nanmean(SensorGroup([sensor(kind, unit, 0.0, span)], (3, n), 0, 0.0).read(signal))
        for n in range(400)
    ]
    accuracy = ACCURACY[kind]
    expected = np.hypot(accuracy.offset * span, accuracy.gain * truth)
    assert np.std(np.array(reading) - truth) == pytest.approx(expected, rel=0.15)


def test_a_sensor_keeps_its_calibration_and_drifts_with_the_hours() -> None:
    spec, truth = sensor("pressure", "bar", 0.0, 400.0), np.full((1, 2_000), 150.0)

    def error(machine: int, recording: int, hour: float) -> float:
        reading = SensorGroup([spec], (1, machine), recording, hour).read(truth)
        return float(np.nanmean(reading)) - 150.0

    same = [error(4, recording, 0.0) for recording in range(5)]
    others = [error(machine, 0, 0.0) for machine in range(20)]
    assert np.std(same) < 0.05 < 0.5 < np.std(others)
    drifts = [error(machine, 0, 10_000.0) - error(machine, 0, 0.0) for machine in range(100)]
    assert np.std(drifts) == pytest.approx(10 * ACCURACY["pressure"].drift * 400.0, rel=0.3)


def test_values_stay_in_the_range_and_on_the_steps_of_the_converter() -> None:
    spec = sensor("pressure", "bar", -1.0, 10.0)
    reading = SensorGroup([spec], (2, 0), 0, 0.0).read(np.linspace(-3.0, 15.0, 5_000)[None])
    known = reading[np.isfinite(reading)].astype(np.float64)
    assert known.min() == -1.0
    assert known.max() == 10.0
    steps = known[(known > -1.0) & (known < 10.0)] / (11.0 / 2**BITS)
    np.testing.assert_allclose(steps, np.rint(steps), atol=2e-3)


def test_readings_go_on_from_piece_to_piece_and_have_gaps() -> None:
    spec = sensor("pressure", "bar", 0.0, 400.0)
    one = SensorGroup([spec], (5, 0), 0, 0.0)
    pieces = [one.read(np.full((1, 36_000), 100.0)) for _ in range(5)]
    assert not np.array_equal(pieces[0], pieces[1], equal_nan=True)
    gaps = np.isnan(np.concatenate(pieces, axis=1))
    # 0.6 gaps an hour of 1 to 8 s; five hours.
    assert 0 < gaps.mean() < 0.005


def test_a_sensor_reads_the_same_beside_others_as_alone() -> None:
    pair = [sensor("pressure", "bar", 0.0, 400.0), sensor("flow", "l/min", 0.0, 600.0)]
    truth = np.random.default_rng(0).uniform(100.0, 200.0, (2, 3_000))
    together, alone = SensorGroup(pair, (6, 0), 1, 50.0), SensorGroup(pair[1:], (6, 0), 1, 50.0)
    for part in (truth[:, :1_000], truth[:, 1_000:]):
        np.testing.assert_array_equal(together.read(part)[1:], alone.read(part[1:]))
