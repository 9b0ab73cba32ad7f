"""Classical models on real cycles: they must be sane, or beating them means nothing."""

import dataclasses

import numpy as np
import pytest
import torch
from benchmarks._slow_baselines import ON_SAMPLES, SLOW_BASELINES
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from tests.support.shared_store import STORE
from torch import Tensor

from hydrascope.data.build import StoreConfig
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.split_spec import Split
from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.data.stored_machine import StoredMachine
from hydrascope.evaluation.baseline_models import BASELINES
from hydrascope.evaluation.baselines import baseline_predictions
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.graphs.fields import SensorReference
from hydrascope.schemas import HeadSpec

NAN = float("nan")
STEPS = 2
LDA = BASELINES["lda"]
UNITS = np.arange(2205) // 10
SMALL = Split(np.arange(0, 2205, 9), np.arange(4, 2205, 27), np.arange(7, 2205, 9))


@pytest.fixture(scope="module")
def machine(rig: HydraulicDataModule) -> StoredMachine:
    """The rig in two steps: 2 x 17 x 17 numbers a cycle."""
    data = HydraulicDataModule(
        rig.source,
        WindowSpec(window_s=60.0, stride_s=60.0, steps=STEPS),
        rig.engineer,
        rig.task,
        store=StoreConfig(STORE),
        split=rig.split_spec,
        loader=rig.loader,
    )
    data.setup()
    return data.dataset.machines[0]


@pytest.fixture(scope="module")
def normalizer(rig: HydraulicDataModule, machine: StoredMachine) -> FeatureNormalizer:
    features = machine.read(SENSOR_FEATURES, rig.split.train)
    observed = machine.read(SENSOR_OBSERVED, rig.split.train)
    fitted = FeatureNormalizer(17, STEPS, features.shape[-1], per_step=True, clip=20.0)
    fitted.fit([(machine.layout.sensor_slot, features, observed)])
    return fitted


@pytest.fixture(scope="module")
def cooler(rig: HydraulicDataModule) -> HeadSpec:
    return next(head for head in rig.task.heads if head.name == "cooler")


def relabelled(machine: StoredMachine, name: str, target: Tensor) -> StoredMachine:
    return dataclasses.replace(machine, targets={**machine.targets, name: target})


def accuracy(prediction: Tensor, target: Tensor) -> float:
    return float((prediction.argmax(1) == target[:, 0]).double().mean())


def test_shrinkage_lda_knows_the_cooler_under_unseen_conditions(
    rig: HydraulicDataModule,
    machine: StoredMachine,
    normalizer: FeatureNormalizer,
    cooler: HeadSpec,
) -> None:
    answers = baseline_predictions(LDA, [machine], rig.split, [cooler], normalizer, UNITS, seed=0)[
        "cooler"
    ]
    assert answers.prediction.shape == (len(rig.split.test), 3)
    values = torch.tensor([each.value for each in cooler.classes])
    true = values[answers.target[:, 0].long()]
    assert true.tolist() == rig.table["cooler"].iloc[rig.split.test].tolist()
    assert accuracy(answers.prediction, answers.target) > 0.95


def test_a_baseline_reads_normalised_features_and_trains_on_the_validation_windows_too(
    machine: StoredMachine,
    normalizer: FeatureNormalizer,
    cooler: HeadSpec,
    rig: HydraulicDataModule,
) -> None:
    answers = baseline_predictions(LDA, [machine], SMALL, [cooler], normalizer, UNITS, 0)
    z = (machine.read(SENSOR_FEATURES) - normalizer.center) / normalizer.scale
    rows = z.clamp(-20, 20).flatten(1).numpy()
    train = np.concatenate([SMALL.train, SMALL.val])
    grade = rig.table["cooler"].to_numpy()
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    expected = model.fit(rows[train], grade[train]).predict_proba(rows[SMALL.test])
    np.testing.assert_allclose(answers["cooler"].prediction.numpy(), expected, atol=1e-3)


NEEDED = {"LightGBM": "lightgbm", "MiniRocket + ridge": "sktime"}
"""Libraries of the extra `bench`."""


CLASSIFIERS = {each.name: each for each in BASELINES.values() if each.classes} | SLOW_BASELINES


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_baseline_drops_missing_labels_and_tells_two_classes_apart(
    rig: HydraulicDataModule, machine: StoredMachine, normalizer: FeatureNormalizer, name: str
) -> None:
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    stable = next(head for head in rig.task.heads if head.name == "stable")
    # Whether the cooler is close to total failure, every third label missing.
    target = torch.tensor(rig.table["cooler"].to_numpy() == 3).float().reshape(-1, 1, 1)
    target[::3] = float("nan")
    answers = baseline_predictions(
        CLASSIFIERS[name],
        [relabelled(machine, "stable", target)],
        SMALL,
        [stable],
        normalizer,
        UNITS,
        seed=0,
        patch_count=rig.engineer.config.patch_count if name in ON_SAMPLES else 0,
    )["stable"]
    kept = [row for row in SMALL.test if row % 3]
    assert answers.prediction.shape == (len(kept), 1)
    assert answers.target[:, 0].tolist() == target[kept, 0, 0].tolist()
    right = (answers.prediction > 0.5).float() == answers.target
    assert right.double().mean() > 0.95


def test_a_class_that_training_lacks_has_no_probability(
    machine: StoredMachine, normalizer: FeatureNormalizer, cooler: HeadSpec
) -> None:
    target = machine.targets["cooler"].clone()
    train = np.concatenate([SMALL.train, SMALL.val])
    without = target[train]
    without[without == 1] = float("nan")
    target[train] = without
    answers = baseline_predictions(
        LDA, [relabelled(machine, "cooler", target)], SMALL, [cooler], normalizer, UNITS, 0
    )["cooler"]
    assert (answers.prediction[:, 1] == 0).all()
    assert (answers.target == 1).any()
    torch.testing.assert_close(answers.prediction.sum(1), torch.ones(len(SMALL.test)))


def test_a_head_with_nothing_to_tell_apart_is_left_out(
    rig: HydraulicDataModule,
    machine: StoredMachine,
    normalizer: FeatureNormalizer,
    cooler: HeadSpec,
) -> None:
    target = machine.targets["cooler"]
    same = torch.where(target.isnan(), target, 0.0)
    unlabelled_test = target.clone()
    unlabelled_test[SMALL.test] = float("nan")
    for hopeless in (same, unlabelled_test, torch.full_like(target, float("nan"))):
        relabelled_rig = relabelled(machine, "cooler", hopeless)
        args = ([relabelled_rig], SMALL, [cooler], normalizer, UNITS, 0)
        assert baseline_predictions(LDA, *args) == {}


def test_a_component_of_one_class_in_training_is_answered_by_it_on_the_same_rows(
    machine: StoredMachine, normalizer: FeatureNormalizer, cooler: HeadSpec
) -> None:
    both = machine.targets["cooler"].clone()
    place = int((~both[..., 0].isnan()).any(0).nonzero()[0])
    other = (place + 1) % both.shape[1]
    both[:, other] = 2.0
    both[SMALL.test[0], other] = 0.0
    answers = baseline_predictions(
        LDA, [relabelled(machine, "cooler", both)], SMALL, [cooler], normalizer, UNITS, 0
    )["cooler"]
    assert len(answers.target) == 2 * len(SMALL.test)
    assert accuracy(answers.prediction, answers.target) > 0.9


def test_each_build_is_answered_by_a_model_of_its_own(
    machine: StoredMachine, normalizer: FeatureNormalizer, cooler: HeadSpec
) -> None:
    flipped = machine.layout._replace(sensor_slot=machine.layout.sensor_slot.flip(0))
    swapped = (2 - machine.targets["cooler"]).where(~machine.targets["cooler"].isnan(), NAN)
    other = dataclasses.replace(relabelled(machine, "cooler", swapped), layout=flipped)
    none = SMALL.val[:0]
    both = Split(*(np.concatenate([part, part + len(machine)]) for part in SMALL))
    units = np.arange(3 * len(machine)) // 10
    args = ([cooler], normalizer, units, 0)
    answers = baseline_predictions(LDA, [machine, other, machine], both, *args)["cooler"]
    alone = [baseline_predictions(LDA, [each], SMALL, *args)["cooler"] for each in (machine, other)]
    assert len(answers.target) == 2 * len(SMALL.test)
    for part in ("prediction", "target"):
        together = torch.cat([getattr(each, part) for each in alone])
        torch.testing.assert_close(getattr(answers, part), together)
    # A build that is tested but not trained on leaves the head without an answer.
    unseen = both._replace(train=SMALL.train, val=none)
    assert baseline_predictions(LDA, [machine, other], unseen, *args) == {}


def test_references_are_read_as_differences_beside_the_features(
    machine: StoredMachine, normalizer: FeatureNormalizer, cooler: HeadSpec
) -> None:
    features, observed = machine.read(SENSOR_FEATURES), machine.read(SENSOR_OBSERVED)
    reference = SensorReference(features[:5].mean(0), observed[:5].all(0))
    known = dataclasses.replace(machine, reference=reference)
    args = (SMALL, [cooler], normalizer, UNITS, 0)
    answers = baseline_predictions(LDA, [known], *args)["cooler"].prediction
    z = ((features - normalizer.center) / normalizer.scale).clamp(-20, 20)
    r = ((reference.sensor_reference - normalizer.center) / normalizer.scale).clamp(-20, 20)
    rows = torch.cat((z, z - r), dim=-1).flatten(1).numpy()
    train = np.concatenate([SMALL.train, SMALL.val])
    grade = machine.targets["cooler"].nan_to_num(0.0).amax(1)[:, 0].numpy()
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    expected = model.fit(rows[train], grade[train]).predict_proba(rows[SMALL.test])
    np.testing.assert_allclose(answers.numpy(), expected, atol=1e-3)
