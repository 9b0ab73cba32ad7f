"""What held-out windows are worth, by their place in time."""

from pathlib import Path

import numpy as np
import pytest
from rig_parts import RigParts, cycles

from hydrascope.data.build import StoreConfig
from hydrascope.data.cross_parts import HeldOutPart, held_out_parts
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.held_out import independent_units, near_training
from hydrascope.data.loaders import DataLoaderConfig
from hydrascope.data.splits import SplitSpec
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas import TaskSpec, validate
from hydrascope.schemas.normality import NormalitySpec
from hydrascope.telemetry import ZemaSource

UNLABELLED = validate(TaskSpec, {"name": "unlabelled", "normality": {}})


@pytest.fixture
def source(zema: ZemaSource) -> RigParts:
    """Three machines, the second with a gap of ten minutes."""
    b = [cycles(700, 10), cycles(720, 10)]
    return RigParts(zema, {"a": [cycles(0, 20)], "b": b, "c": [cycles(900, 8)]})


def planned(
    source: RigParts, engineer: FeatureEngineer, stride_s: float, split: SplitSpec
) -> HydraulicDataModule:
    data = HydraulicDataModule(
        source,
        WindowSpec(60.0, stride_s, 10),
        engineer,
        UNLABELLED,
        store=StoreConfig(Path("unused")),  # a plan reads no telemetry
        split=split,
        loader=DataLoaderConfig(batch_size=4),
    )
    data.plan()
    return data


def held_out(data: HydraulicDataModule) -> HeldOutPart:
    """Return the validation windows, and the training windows without which they were held out."""
    (part,) = held_out_parts(data, NormalitySpec())
    return part


def apart_s(data: HydraulicDataModule, row: int) -> float:
    """Return the distance in time from a window to the nearest training window of its machine."""
    own, others = data.table.iloc[row], data.table.iloc[data.split.train]
    others = others[others["equipment_id"] == own["equipment_id"]]
    return min(
        (abs((start - own["start"]).total_seconds()) for start in others["start"]), default=9e9
    )


@pytest.mark.parametrize("stride_s", [20.0, 60.0, 90.0])
@pytest.mark.parametrize("name", ["chronological", "random", "by_machine"])
def test_windows_near_the_training_are_found(
    source: RigParts, engineer: FeatureEngineer, name: str, stride_s: float
) -> None:
    data = planned(source, engineer, stride_s, SplitSpec(name, 3, 0, 0.4))
    near = near_training(data, held_out(data))
    for row, sharing, adjoining in zip(data.split.val, *near, strict=True):
        distance = apart_s(data, int(row))
        assert sharing == (distance < 60)
        assert adjoining == (60 <= distance < 60 + stride_s)
    if name == "by_machine":
        assert not near.sharing.any()
        assert not near.adjoining.any()


def test_windows_that_share_no_samples_count_one_each(
    source: RigParts, engineer: FeatureEngineer
) -> None:
    data = planned(source, engineer, 60.0, SplitSpec("chronological", 4, 0, 0.4))
    assert independent_units(data, [held_out(data)]) == len(data.split.val)


def test_overlapping_windows_count_as_many_as_share_no_samples(
    source: RigParts, engineer: FeatureEngineer
) -> None:
    data = planned(source, engineer, 20.0, SplitSpec("chronological", 4, 0, 0.4))
    val = data.split.val
    near = near_training(data, held_out(data))
    assert near.sharing.sum() == 2 * 3  # two of each machine begin before the training ends
    expected = 0
    for _, rows in data.table.iloc[val[~near.sharing]].groupby("equipment_id"):
        seconds = (rows["start"] - rows["start"].min()).dt.total_seconds().to_numpy()
        stretches = np.split(seconds, np.flatnonzero(np.diff(seconds) > 20.0) + 1)
        expected += sum((len(stretch) + 2) // 3 for stretch in stretches)
    assert independent_units(data, [held_out(data)]) == expected
    assert expected < len(val) / 2


def test_windows_that_share_samples_with_the_training_are_worth_nothing(
    source: RigParts, engineer: FeatureEngineer
) -> None:
    data = planned(source, engineer, 10.0, SplitSpec("random", 2, 0, 0.4))
    part = held_out(data)
    sharing = near_training(data, part).sharing
    assert independent_units(data, [part._replace(rows=part.rows[sharing])]) == 0


def test_machines_that_are_held_out_count_one_each(
    source: RigParts, engineer: FeatureEngineer
) -> None:
    data = planned(source, engineer, 20.0, SplitSpec("by_machine", 3, 0, 0.4))
    assert independent_units(data, [held_out(data)]) == 1
