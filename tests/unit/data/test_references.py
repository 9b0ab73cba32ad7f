"""Reference windows: whose they are, what is read of them, and that they are in no part."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from rig_parts import RigParts, cycles

from hydrascope.data.build import StoreConfig
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.loaders import DataLoaderConfig
from hydrascope.data.references import ReferenceSpec, reference_windows
from hydrascope.data.split_spec import SplitSpec
from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.network import UniversalTemporalGNN
from hydrascope.schemas import SpecError, TaskSpec
from hydrascope.telemetry import Signal, ZemaSource

SOUND = "sound"


def marked(first: int, count: int):
    """Mark so many cycles from one on as sound."""

    def relabel(labels: pd.DataFrame) -> pd.DataFrame:
        number = np.arange(len(labels))
        return labels.assign(**{SOUND: ((number >= first) & (number < first + count)).astype(int)})

    return relabel


def without_ps1(signals: dict[str, Signal]) -> dict[str, Signal]:
    return {name: signal for name, signal in signals.items() if name != "PS1"}


@pytest.fixture(scope="module")
def source(zema: ZemaSource) -> RigParts:
    return RigParts(
        zema,
        {"one": [cycles(100, 9)], "two": [cycles(1500, 5), cycles(1600, 4)], "old": [cycles(0, 6)]},
        change={"two": without_ps1},
        relabel={"one": marked(100, 2), "two": marked(1504, 97), "old": marked(0, 0)},
    )


def read(
    source: RigParts,
    engineer: FeatureEngineer,
    task: TaskSpec,
    folder: Path,
    reference: ReferenceSpec | None,
) -> HydraulicDataModule:
    data = HydraulicDataModule(
        source,
        WindowSpec(60.0, 60.0, 10),
        engineer,
        task,
        store=StoreConfig(folder),
        split=SplitSpec("chronological", folds=3, fold=0, val_fraction=0.2),
        loader=DataLoaderConfig(batch_size=4),
        reference=reference,
    )
    data.setup()
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


@pytest.mark.parametrize("per_step", [False, True])
def test_each_machine_carries_the_means_of_its_own_sound_windows(
    source: RigParts, engineer: FeatureEngineer, task: TaskSpec, folder: Path, per_step: bool
) -> None:
    data = read(source, engineer, task, folder, ReferenceSpec(SOUND, per_step=per_step))
    assert np.flatnonzero(data.reference).tolist() == [0, 1, 13, 14]
    inputs = data.dataset.gather([3, 4, 12, 13, 20]).inputs
    graph = inputs.component_graph[inputs.sensor_component]
    sound = {0: [0, 1], 1: [0, 1], 2: [4, 5], 3: [4, 5]}
    for number, rows in sound.items():
        machine = data.dataset.machines[0 if number < 2 else 1]
        features = machine.read(SENSOR_FEATURES)[rows].double().numpy()
        observed = machine.read(SENSOR_OBSERVED)[rows].numpy()
        seen = np.ma.array(features, mask=np.broadcast_to(~observed[..., None], features.shape))
        mean = seen.mean(axis=0 if per_step else (0, 2))
        expected = mean.filled(0.0) if per_step else mean.filled(0.0)[:, None]
        found = inputs.sensor_reference[graph == number].double().numpy()
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=1e-6)
        known = inputs.sensor_reference_mask[graph == number].numpy()
        anything = observed.any(axis=0) if per_step else observed.any(axis=(0, 2))[:, None]
        np.testing.assert_array_equal(known, np.broadcast_to(anything, known.shape))
    # A machine that nobody has seen sound.
    assert not inputs.sensor_reference_mask[graph == 4].any()
    assert not inputs.sensor_reference[graph == 4].any()


def test_a_sensor_that_was_silent_then_has_no_reference(
    source: RigParts, engineer: FeatureEngineer, task: TaskSpec, folder: Path
) -> None:
    data = read(source, engineer, task, folder, ReferenceSpec(SOUND))
    sensors = data.machines["two"].topology.sensors
    one, two, _ = (machine.reference for machine in data.dataset.machines)
    assert one is not None
    assert two is not None
    assert one.sensor_reference_mask.all()
    for row, (_, sensor) in enumerate(sensors):
        assert bool(two.sensor_reference_mask[row].all()) == (sensor.id != "PS1")
        assert bool(two.sensor_reference[row].any()) == (sensor.id != "PS1")


def test_references_are_in_no_part_and_change_neither_stores_nor_windows(
    source: RigParts, engineer: FeatureEngineer, task: TaskSpec, folder: Path
) -> None:
    plain = read(source, engineer, task, folder, None)
    stores = sorted(folder.iterdir())
    data = read(source, engineer, task, folder, ReferenceSpec(SOUND))
    assert sorted(folder.iterdir()) == stores
    used = np.concatenate(data.split)
    assert not data.reference[used].any()
    assert sorted(used) == np.flatnonzero(~data.reference).tolist()
    assert sorted(np.concatenate(plain.split)) == list(range(len(plain.table)))
    rows = [2, 9, 14, 18]
    without, inputs = plain.dataset.gather(rows).inputs, data.dataset.gather(rows).inputs
    assert not without.sensor_reference_mask.any()
    for name in set(inputs._fields) - {"sensor_reference", "sensor_reference_mask"}:
        assert torch.equal(getattr(inputs, name), getattr(without, name)), name
    assert inputs.sensor_reference.shape == without.sensor_reference.shape
    one = data.dataset.gather(rows[:1]).inputs
    assert torch.equal(one.sensor_reference, inputs.sensor_reference[: len(one.sensor_reference)])


def test_the_first_hours_of_each_machine_may_be_its_references(
    source: RigParts, engineer: FeatureEngineer, task: TaskSpec, folder: Path
) -> None:
    data = read(source, engineer, task, folder, ReferenceSpec(first_h=0.05))
    assert np.flatnonzero(data.reference).tolist() == [0, 1, 2, 9, 10, 11, 18, 19, 20]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            ReferenceSpec("sonud"),
            r"data\.reference\.label: 'sonud' is no label column; accepted: .*did you mean",
        ),
        (ReferenceSpec("never"), r"label: 'never' marks no window of 4; expected some of them"),
        (ReferenceSpec("always"), r"label: 'always' marks every window of 4"),
        (ReferenceSpec("words"), r"label: 'words' marks no window"),
        (ReferenceSpec(first_h=0.01), r"data\.reference\.first_h: 0\.01 marks no window of 4"),
        (ReferenceSpec(first_h=9.0), r"first_h: 9 marks every window of 4"),
    ],
)
def test_references_that_are_none_or_all_are_refused(spec: ReferenceSpec, message: str) -> None:
    start = pd.date_range("2026-01-01", periods=4, freq="60s", tz="UTC")
    table = pd.DataFrame({"equipment_id": "rig", "start": start, SOUND: [1, 0, 0, None]})
    table = table.assign(never=0.0, always=1, words="yes")
    assert reference_windows(table, 60.0, ReferenceSpec(SOUND)).tolist() == [True] + [False] * 3
    with pytest.raises(SpecError, match=message):
        reference_windows(table, 60.0, spec)


@pytest.mark.parametrize("per_step", [False, True])
def test_references_are_normalised_as_the_windows_are(
    source: RigParts, engineer: FeatureEngineer, task: TaskSpec, folder: Path, per_step: bool
) -> None:
    data = read(source, engineer, task, folder, ReferenceSpec(SOUND, per_step=per_step))
    spec = data.input_spec
    normalizer = FeatureNormalizer(
        len(spec.sensor_slots), spec.steps, len(spec.feature_names), per_step=per_step, clip=20.0
    )
    normalizer.fit(data.training_parts(normalizer))
    network = UniversalTemporalGNN(UniversalTemporalGNN.Config(), spec, task.heads)
    diagnoser = TensorDiagnoser(normalizer, network)
    inputs = data.dataset.gather([3, 12, 20]).inputs
    normalised = diagnoser.normalise(inputs)
    as_window = inputs._replace(
        sensor_features=inputs.sensor_reference, sensor_observed=inputs.sensor_reference_mask
    )
    expected = diagnoser.normalise(as_window).sensor_features
    assert torch.equal(normalised.sensor_reference, expected)
    assert expected[inputs.sensor_reference_mask].any()
    answers = diagnoser.predict(inputs)
    assert all(bool(answer.isfinite().all()) for answer in answers.values())


def test_by_machine_windows_are_normalised_relative_to_the_references_of_their_machine(
    source: RigParts, engineer: FeatureEngineer, task: TaskSpec, folder: Path
) -> None:
    data = read(source, engineer, task, folder, ReferenceSpec(SOUND))
    spec = data.input_spec
    normalizer = FeatureNormalizer(
        len(spec.sensor_slots), spec.steps, len(spec.feature_names), False, 20.0, by="machine"
    )
    normalizer.fit(data.training_parts(normalizer))
    differences = []
    for machine, rows in data.dataset.locate(data.split.train):
        if (reference := machine.reference) is not None and reference.sensor_reference_mask.any():
            x = machine.read(SENSOR_FEATURES, rows) - reference.sensor_reference
            seen = machine.read(SENSOR_OBSERVED, rows) & reference.sensor_reference_mask
            differences.append(np.where(seen.unsqueeze(-1), x, np.nan))
    joined = np.concatenate(differences).astype(np.float64)
    mean, std = np.nanmean(joined, axis=(0, 2)), np.nanstd(joined, axis=(0, 2))
    # Two machines of one build share the slots.
    np.testing.assert_allclose(normalizer.center[:, 0], mean, rtol=1e-4, atol=1e-3)
    varied = std > 1e-3
    np.testing.assert_allclose(normalizer.scale[:, 0].numpy()[varied], std[varied], rtol=1e-3)
    network = UniversalTemporalGNN(UniversalTemporalGNN.Config(), spec, task.heads)
    inputs = data.dataset.gather([3, 12, 20]).inputs
    z = TensorDiagnoser(normalizer, network).normalise(inputs)
    known = inputs.sensor_reference_mask & inputs.sensor_observed
    assert torch.equal(z.sensor_observed, known)
    expected = (inputs.sensor_features - inputs.sensor_reference)[known]
    row = inputs.sensor_slot.unsqueeze(1).expand(known.shape)[known]
    expected = (expected - normalizer.center[row, 0]) / normalizer.scale[row, 0]
    torch.testing.assert_close(z.sensor_features[known], expected.clamp(-20, 20))
    assert "data.reference: no reference window of old" in data.remarks()
