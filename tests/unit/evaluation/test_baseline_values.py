"""Classical models of regressions, quantiles and labels: sane, in the unit, on the same rows."""

import dataclasses
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeCV
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.splits import Split
from hydrascope.data.stored_machine import StoredMachine
from hydrascope.evaluation import baselines as room
from hydrascope.evaluation.baseline_models import BASELINES, Baseline
from hydrascope.evaluation.baseline_names import QUICK, chosen_baselines
from hydrascope.evaluation.baselines import baseline_predictions
from hydrascope.evaluation.report import head_metrics
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.schemas import HeadSpec, validate

NAN = float("nan")
SPLIT = Split(np.arange(0, 2205, 9), np.arange(4, 2205, 27), np.arange(7, 2205, 9))
TRAIN = np.concatenate([SPLIT.train, SPLIT.val])
UNITS = np.arange(2205) // 10
VALUES = {name: each for name, each in BASELINES.items() if each.values}
LABELLED = {name: each for name, each in BASELINES.items() if each.classes and each.of_many}


@pytest.fixture(scope="module")
def machine(rig: HydraulicDataModule) -> StoredMachine:
    return rig.dataset.machines[0]


@pytest.fixture(scope="module")
def normalizer(rig: HydraulicDataModule) -> FeatureNormalizer:
    fitted = FeatureNormalizer(17, rig.window.steps, len(rig.input_spec.feature_names), True, 20.0)
    fitted.fit(rig.training_parts(fitted))
    return fitted


@pytest.fixture(scope="module")
def cooler(rig: HydraulicDataModule) -> Tensor:
    """Return the efficiency of the cooler: 3, 20 or 100 %, [W, 1, 1]."""
    return torch.tensor(rig.table["cooler"].to_numpy()).float().reshape(-1, 1, 1)


def head(**fields: object) -> HeadSpec:
    plain = {"name": "state", "level": "machine", "kind": "regression"}
    return validate(HeadSpec, plain | fields)


def answers(
    baseline: Baseline,
    machine: StoredMachine,
    normalizer: FeatureNormalizer,
    spec: HeadSpec,
    target: Tensor,
) -> room.HeadPredictions | None:
    labelled = dataclasses.replace(machine, targets={"state": target})
    found = baseline_predictions(baseline, [labelled], SPLIT, [spec], normalizer, UNITS, seed=0)
    return found.get("state")


@pytest.mark.parametrize("name", VALUES)
def test_a_regression_is_answered_in_its_unit_on_the_labelled_rows(
    name: str, machine: StoredMachine, normalizer: FeatureNormalizer, cooler: Tensor
) -> None:
    if VALUES[name].missing:
        pytest.skip(str(VALUES[name].missing))
    target = cooler.clone()
    target[::3] = NAN
    found = answers(VALUES[name], machine, normalizer, head(scale="log"), target)
    assert found is not None
    kept = [row for row in SPLIT.test if row % 3]
    assert found.target[:, 0].tolist() == target[kept, 0, 0].tolist()
    assert head_metrics([head()], {"state": found})["state"]["r2"] > 0.8


@pytest.mark.parametrize("name", [name for name in VALUES if name != "random_forest"])
def test_quantiles_cover_about_what_they_say(
    name: str, machine: StoredMachine, normalizer: FeatureNormalizer, cooler: Tensor
) -> None:
    if VALUES[name].missing:
        pytest.skip(str(VALUES[name].missing))
    noise = torch.randn(cooler.shape, generator=torch.Generator().manual_seed(0))
    spec = head(quantiles=[0.1, 0.5, 0.9])
    found = answers(VALUES[name], machine, normalizer, spec, cooler + 10 * noise)
    assert found is not None
    assert (found.prediction.diff(dim=1) >= 0).all()
    low, median, high = found.prediction.T
    inside = (low <= found.target[:, 0]) & (found.target[:, 0] <= high)
    assert 0.5 < inside.double().mean() <= 0.95
    assert (found.target[:, 0] - median).abs().mean() < 12.0


def test_the_errors_behind_quantiles_are_those_without_the_windows_own_unit(
    machine: StoredMachine, normalizer: FeatureNormalizer, cooler: Tensor
) -> None:
    # Each unit has its own offset: errors within a unit would be far too small.
    offset = torch.randn(221, generator=torch.Generator().manual_seed(0))[UNITS].reshape(-1, 1, 1)
    spec, neighbours = head(quantiles=[0.1, 0.5, 0.9]), BASELINES["nearest_neighbours"]
    found = answers(neighbours, machine, normalizer, spec, offset)
    assert found is not None
    assert (found.prediction[:, 2] - found.prediction[:, 0]).mean() > 1.5


@pytest.mark.parametrize("name", LABELLED)
def test_labels_and_components_are_answered_each_by_a_model_of_its_own(
    name: str, machine: StoredMachine, normalizer: FeatureNormalizer, cooler: Tensor
) -> None:
    if LABELLED[name].missing:
        pytest.skip(str(LABELLED[name].missing))
    spec = head(level="component", kind="multi_label", labels=["failing", "whole"])
    both = torch.cat([cooler == 3, cooler == 100], dim=2).float()  # [W, 1, 2]
    target = torch.cat([both, torch.full_like(both, NAN), 1 - both], dim=1)
    target[SPLIT.test[0], 2, 1] = NAN
    found = answers(LABELLED[name], machine, normalizer, spec, target)
    assert found is not None
    assert found.prediction.shape == found.target.shape == (2 * len(SPLIT.test), 2)
    assert int(found.target.isnan().sum()) == 1
    known = ~found.target.isnan()
    right = ((found.prediction > 0.5).float() == found.target)[known]
    assert right.double().mean() > 0.95


def test_ridge_trains_on_the_normalised_rows_and_the_learned_scale(
    machine: StoredMachine, normalizer: FeatureNormalizer, cooler: Tensor
) -> None:
    found = answers(BASELINES["ridge"], machine, normalizer, head(scale="log"), cooler)
    assert found is not None
    rows = room.window_features([machine], normalizer).flatten(1).double().numpy()
    y = np.log1p(cooler.double().numpy()[:, 0, 0])
    model = RidgeCV(alphas=np.logspace(-2, 5, 8)).fit(rows[TRAIN], y[TRAIN])
    expected = np.expm1(model.predict(rows[SPLIT.test]))
    np.testing.assert_allclose(found.prediction[:, 0].numpy(), expected, rtol=0.02, atol=0.5)


def test_a_regression_that_does_not_vary_is_left_out(
    machine: StoredMachine, normalizer: FeatureNormalizer, cooler: Tensor
) -> None:
    constant = torch.full_like(cooler, 7.0)
    assert answers(BASELINES["ridge"], machine, normalizer, head(), constant) is None
    assert answers(BASELINES["lda"], machine, normalizer, head(), cooler) is None


def test_a_setting_chooses_baselines() -> None:
    assert chosen_baselines(True) == QUICK
    assert chosen_baselines(False) == ()
    assert set(chosen_baselines("all")) == set(BASELINES)
    assert chosen_baselines(("ridge",)) == ("ridge",)


def test_an_optional_package_that_is_missing_is_named() -> None:
    assert BASELINES["ridge"].missing is None
    assert bool(BASELINES["lightgbm"].missing) == (find_spec("lightgbm") is None)
    absent = Baseline("Oracle", package="no_such_package")
    assert str(absent.missing).startswith("Oracle is not installed; accepted: pip install")
