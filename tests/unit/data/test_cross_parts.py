"""Training windows are divided into parts that can be held out in turn."""

from pathlib import Path

import numpy as np
import pytest
from rig_parts import RigParts, cycles

from hydrascope.data.build import StoreConfig
from hydrascope.data.cross_parts import held_out_parts, training_parts
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.loaders import DataLoaderConfig
from hydrascope.data.splits import SplitSpec
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas import SpecError, TaskSpec, validate
from hydrascope.schemas.normality import NormalitySpec
from hydrascope.telemetry import ZemaSource

UNLABELLED = validate(TaskSpec, {"name": "unlabelled", "normality": {}})


@pytest.fixture
def source(zema: ZemaSource) -> RigParts:
    """Ten machines of ten cycles."""
    return RigParts(zema, {f"m{n}": [cycles(700 + 10 * n, 10)] for n in range(10)})


def planned(
    source: RigParts, engineer: FeatureEngineer, split: str, seed: int = 0
) -> HydraulicDataModule:
    data = HydraulicDataModule(
        source,
        WindowSpec(60.0, 60.0, 10),
        engineer,
        UNLABELLED,
        store=StoreConfig(Path("unused")),  # a plan reads no telemetry
        split=SplitSpec(split, 5, 0, 0.25),
        loader=DataLoaderConfig(batch_size=4, seed=seed),
    )
    data.plan()
    return data


@pytest.mark.parametrize("split", ["by_machine", "chronological"])
@pytest.mark.parametrize("folds", [2, 3, 6])
def test_every_training_window_is_held_out_once_and_never_learned_from_then(
    source: RigParts, engineer: FeatureEngineer, split: str, folds: int
) -> None:
    data = planned(source, engineer, split)
    val, *parts = held_out_parts(data, NormalitySpec(cross_folds=folds))
    np.testing.assert_array_equal(np.sort(val.rows), np.sort(data.split.val))
    assert len(parts) == folds
    rows = np.concatenate([part.rows for part in parts])
    np.testing.assert_array_equal(np.sort(rows), np.sort(data.split.train))
    for part in parts:
        assert len(part.rows)
        assert sorted([*part.rows, *part.train]) == sorted(data.split.train)


def test_machines_stay_whole_where_the_split_keeps_them_so(
    source: RigParts, engineer: FeatureEngineer
) -> None:
    data = planned(source, engineer, "by_machine")
    machine = data.table["equipment_id"].to_numpy()
    parts = [set(machine[rows]) for rows in training_parts(data, 3)]
    assert sum(map(len, parts)) == len(set(machine[data.split.train]))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    others = training_parts(planned(source, engineer, "by_machine", seed=1), 3)
    assert [set(machine[rows]) for rows in others] != parts


def test_else_a_part_is_a_stretch_of_time_of_each_machine(
    source: RigParts, engineer: FeatureEngineer
) -> None:
    data = planned(source, engineer, "chronological")
    for rows in training_parts(data, 3):
        for _, own in data.table.iloc[rows].groupby("equipment_id"):
            assert (own["start"].diff().dropna().dt.total_seconds() == 60).all()


@pytest.mark.parametrize("split", ["by_machine", "chronological"])
def test_of_data_that_were_not_trained_on_nothing_was_held_out(
    source: RigParts, engineer: FeatureEngineer, split: str
) -> None:
    data = planned(source, engineer, split)
    data.judge_all()
    data.plan()
    parts = held_out_parts(data, NormalitySpec(cross_folds=5))
    assert [len(rows) for part in parts for rows in part] == [0, 0]


@pytest.mark.parametrize(
    ("split", "units"), [("by_machine", "machines"), ("chronological", "windows of a machine")]
)
def test_more_parts_than_units_are_refused(
    source: RigParts, engineer: FeatureEngineer, split: str, units: str
) -> None:
    data = planned(source, engineer, split)
    expected = rf"task\.normality\.cross_folds: 60 is more than the \d+ {units} of the training"
    with pytest.raises(SpecError, match=expected):
        training_parts(data, 60)
