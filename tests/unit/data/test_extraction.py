"""What damage to real telemetry does to features and masks, and what it must leave alone."""

import numpy as np
import pytest
import torch
from rig_parts import MachineWindows, RigParts, cycles, direct

from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.telemetry import Signal, ZemaSource

SPEC = WindowSpec(window_s=60.0, stride_s=60.0, steps=10)
COUNT = 4


def damaged(signals: dict[str, Signal]) -> dict[str, Signal]:
    """PS1 lost cycle 1, TS1 has holes, PS2 and VS1 fell out, FS1 froze, PS3 is faster."""
    values = {name: signal.values.copy() for name, signal in signals.items()}
    values["PS1"][60:120] = np.nan
    values["TS1"][12:16] = np.nan  # 4 of 6 samples of step 2: too few are left
    values["TS1"][18:20] = np.inf  # 2 of 6 samples of step 3: enough are left
    values["FS1"][:] = 7.0
    result = {name: Signal(values[name], signal.rate_hz) for name, signal in signals.items()}
    del result["PS2"]
    result["PS3"] = Signal(np.repeat(signals["PS3"].values, 10), 10.0)
    result["VS1"] = Signal(np.zeros(0, np.float32), 1.0)
    return result


@pytest.fixture(scope="module")
def sensors(zema: ZemaSource) -> list[str]:
    topology = zema.machines()[zema.equipment_id].topology
    return [sensor.id for _, sensor in topology.sensors]


def windows(zema: ZemaSource, engineer: FeatureEngineer, **change: object) -> MachineWindows:
    source = RigParts(zema, {"rig": [cycles(100, COUNT)]}, **change)  # type: ignore[arg-type]
    return direct(source, source.machines()["rig"], SPEC, engineer)


@pytest.fixture(scope="module")
def whole(zema: ZemaSource, engineer: FeatureEngineer) -> MachineWindows:
    return windows(zema, engineer)


@pytest.fixture(scope="module")
def hurt(zema: ZemaSource, engineer: FeatureEngineer) -> MachineWindows:
    return windows(zema, engineer, change={"rig": damaged})


def test_exactly_what_is_missing_is_masked(
    hurt: MachineWindows, whole: MachineWindows, sensors: list[str]
) -> None:
    expected = torch.ones(COUNT, len(sensors), SPEC.steps, dtype=torch.bool)
    assert torch.equal(whole.observed, expected)
    expected[1, sensors.index("PS1")] = False
    expected[0, sensors.index("TS1"), 2] = False
    expected[:, sensors.index("PS2")] = False
    expected[:, sensors.index("VS1")] = False
    assert torch.equal(hurt.observed, expected)


def test_damage_to_one_sensor_leaves_all_others_alone(
    hurt: MachineWindows, whole: MachineWindows, sensors: list[str]
) -> None:
    assert hurt.features.isfinite().all()
    touched = {"PS1", "PS2", "PS3", "TS1", "FS1", "VS1"}
    others = [row for row, sensor in enumerate(sensors) if sensor not in touched]
    assert torch.equal(hurt.features[:, others], whole.features[:, others])
    ps1 = sensors.index("PS1")
    assert torch.equal(hurt.features[[0, 2, 3], ps1], whole.features[[0, 2, 3], ps1])


def test_the_features_of_real_cycles_equal_numpy(
    hurt: MachineWindows, zema: ZemaSource, engineer: FeatureEngineer, sensors: list[str]
) -> None:
    signals = damaged(zema.read(zema.equipment_id, cycles(100, COUNT)))
    names = engineer.feature_names
    for row, sensor in enumerate(sensors):
        if sensor not in signals or not len(signals[sensor].values):
            continue
        steps = signals[sensor].values.astype(np.float64).reshape(COUNT, SPEC.steps, -1)
        seen = hurt.observed[:, row].numpy()
        finite = np.where(np.isfinite(steps), steps, np.nan)[seen]
        for name, expected in {
            "mean": np.nanmean(finite, axis=-1),
            "std": np.nanstd(finite, axis=-1),
            "min": np.nanmin(finite, axis=-1),
            "percentile_75": np.nanpercentile(finite, 75, axis=-1),
        }.items():
            actual = hurt.features[:, row, :, names.index(name)].numpy()[seen]
            np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=1e-4, err_msg=sensor)


def test_a_frozen_sensor_is_observed_and_does_not_vary(
    hurt: MachineWindows, engineer: FeatureEngineer, sensors: list[str]
) -> None:
    frozen = dict(
        zip(
            engineer.feature_names,
            hurt.features[:, sensors.index("FS1")].unbind(-1),
            strict=True,
        )
    )
    assert (frozen["mean"] == 7.0).all()
    assert (frozen["patch_3"] == 7.0).all()
    for name in ("std", "skewness", "kurtosis"):
        assert (frozen[name] == 0.0).all()


def test_the_rate_of_a_sensor_does_not_change_what_its_features_mean(
    hurt: MachineWindows, whole: MachineWindows, engineer: FeatureEngineer, sensors: list[str]
) -> None:
    # PS3 comes at 10 Hz, each value ten times: what ignores the order of samples stays the same.
    row, names = sensors.index("PS3"), engineer.feature_names
    for name in ("mean", "std", "min", "max", "skewness"):
        column = names.index(name)
        torch.testing.assert_close(
            hurt.features[:, row, :, column],
            whole.features[:, row, :, column],
            rtol=1e-4,
            atol=1e-4,
        )


def test_a_stricter_share_of_valid_samples_masks_more(
    zema: ZemaSource, engineer: FeatureEngineer, sensors: list[str]
) -> None:
    strict = FeatureEngineer(engineer.config.model_copy(update={"min_valid_fraction": 0.9}))
    ts1 = windows(zema, strict, change={"rig": damaged}).observed[0, sensors.index("TS1")]
    assert ts1.tolist() == [True, True, False, False, *[True] * 6]


def test_a_window_is_the_same_wherever_its_recording_begins(
    zema: ZemaSource, engineer: FeatureEngineer, whole: MachineWindows
) -> None:
    later = RigParts(zema, {"rig": [cycles(102, 1)]})
    alone = direct(later, later.machines()["rig"], SPEC, engineer)
    # Other rows in a batch may change the order of a sum, and with it the last bit.
    torch.testing.assert_close(alone.features[0], whole.features[2], rtol=1e-6, atol=1e-6)
    assert alone.table["start"].iloc[0] == whole.table["start"].iloc[2]
