"""Windows of conditions that were never recorded are sums and differences of recorded ones."""

import numpy as np
import pytest
import torch

from hydrascope.data.batch import RowBatch, TrainingBatch
from hydrascope.data.conditions import Conditions, conditions
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.dataset import HydraulicGraphDataset
from hydrascope.data.recombination import Bank, DriftTransplant, Recombination
from hydrascope.schemas import SpecError, TaskSpec

ROWS = [4, 90, 91, 700, 1500, 2000]
GRADED = ("cooler", "valve", "pump", "accumulator")


@pytest.fixture(scope="module")
def known(rig: HydraulicDataModule, task: TaskSpec) -> Conditions:
    return conditions(rig.dataset.machines, task.heads)


@pytest.fixture(scope="module")
def bank(rig: HydraulicDataModule, known: Conditions) -> Bank:
    return Bank(rig.split.train, known, rig.dataset.gather)


def drawn(
    rig: HydraulicDataModule, transform: Recombination | DriftTransplant, rows: list[int]
) -> TrainingBatch:
    dataset = HydraulicGraphDataset(rig.dataset.machines, [transform], 0)
    return dataset[RowBatch(np.array(rows), 0, augment=True)]


def by_window(batch: TrainingBatch) -> torch.Tensor:
    return batch.inputs.sensor_features.reshape(len(batch.window), 17, 10, -1).double()


def grades(batch: TrainingBatch) -> torch.Tensor:
    """[W, 4] of a batch's targets; the one labelled component of each head."""
    of_heads = [
        torch.nan_to_num(batch.targets[name].reshape(len(batch.window), -1)).sum(1)
        for name in GRADED
    ]
    return torch.stack(of_heads, dim=1).long()


def test_a_condition_is_the_tuple_of_the_components_grades(
    rig: HydraulicDataModule, known: Conditions
) -> None:
    assert known.heads == GRADED
    assert (grades(rig.dataset.gather(ROWS)).numpy() == known.grades[ROWS]).all()
    named = rig.table["condition"].factorize()[0]
    pairs = set(zip(named.tolist(), known.number.tolist(), strict=True))
    assert len(pairs) == len(set(named)) == len(set(known.number))


def test_a_recombined_window_is_x_plus_a_less_b_with_a_and_b_alike_in_all_grades_but_one(
    rig: HydraulicDataModule, bank: Bank, known: Conditions
) -> None:
    rows = list(range(0, 2205, 9))
    batch, plain = drawn(rig, Recombination(bank, 1), rows), rig.dataset.gather(rows)
    changed = (by_window(batch) - by_window(plain)).abs().amax((1, 2, 3)) > 1e-4
    assert 0.4 < changed.float().mean() < 0.6  # one time in two
    moved = grades(batch) != grades(plain)
    assert (moved.sum(1)[changed] == 1).all()
    assert not moved[~changed].any()
    assert batch.targets["stable"][changed].isnan().all()
    assert torch.equal(batch.targets["stable"][~changed], plain.targets["stable"][~changed])
    train = torch.from_numpy(rig.split.train)
    windows = by_window(rig.dataset.gather(train.numpy()))
    mine = torch.from_numpy(known.grades)[train]
    windows = windows[:, ::5, ::4, :4]
    for number in changed.nonzero().flatten()[:12].tolist():
        head = int(moved[number].nonzero())
        others = [each for each in range(4) if each != head]
        given = mine[:, head] == grades(plain)[number, head]
        taken = mine[:, head] == grades(batch)[number, head]
        delta = (by_window(batch) - by_window(plain))[number, ::5, ::4, :4]
        # Some b of the old grade and some a of the new one, alike in the rest, make it.
        scale = windows.abs().amax((0, 1, 2)).clamp(min=1e-6)
        best = np.inf
        for condition in mine[given][:, others].unique(dim=0):
            alike = (mine[:, others] == condition).all(1)
            a, b = windows[taken & alike], windows[given & alike]
            if len(a) and len(b):
                gap = ((a.unsqueeze(1) - b.unsqueeze(0) - delta) / scale).abs().amax((2, 3, 4))
                best = min(best, float(gap.min()))
        assert best < 1e-5


def test_drift_comes_from_one_condition_and_keeps_the_grades(
    rig: HydraulicDataModule, bank: Bank
) -> None:
    batch, plain = drawn(rig, DriftTransplant(bank, 2), ROWS), rig.dataset.gather(ROWS)
    assert not torch.equal(by_window(batch), by_window(plain))
    for name in GRADED:
        assert torch.equal(batch.targets[name].nan_to_num(-1), plain.targets[name].nan_to_num(-1))


def test_drift_reaches_as_far_as_is_said(rig: HydraulicDataModule, known: Conditions) -> None:
    # Two windows of one condition: the difference is 0 or that of these two, one way or the other.
    pair = rig.split.train[known.number[rig.split.train] == known.number[rig.split.train[0]]][:2]
    bank = Bank(pair, known, rig.dataset.gather)
    rows = list(range(0, 2205, 20))
    plain = by_window(rig.dataset.gather(np.array(rows)))
    delta = (by_window(drawn(rig, DriftTransplant(bank, 1, 3.0), rows)) - plain).flatten(1)
    a, b = by_window(rig.dataset.gather(pair)).flatten(1)
    apart = a - b
    factor = delta @ apart / apart.square().sum()
    torch.testing.assert_close(delta, factor.unsqueeze(1) * apart, atol=1e-2, rtol=1e-3)
    reached = factor[factor.abs() > 1e-3].abs()
    assert 1.0 <= reached.min() + 1e-4 < 1.5
    assert 2.5 < reached.max() <= 3.0 + 1e-4


def test_drift_leaves_no_target_of_which_its_windows_are_unlike(
    rig: HydraulicDataModule, known: Conditions
) -> None:
    asked: list[int] = []

    def gather(rows: np.ndarray) -> TrainingBatch:
        asked.extend(rows.tolist())
        return rig.dataset.gather(rows)

    drift = DriftTransplant(Bank(rig.split.train, known, gather), 1)
    stable = rig.table["stable"].to_numpy()
    kept = []
    for row in range(0, 2205, 10):
        asked.clear()
        target = drawn(rig, drift, [row]).targets["stable"]
        kept.append(len(set(stable[asked])) < 2)
        if kept[-1]:
            assert target.item() == stable[row]
        else:
            assert target.isnan().all()
    assert 0 < sum(kept) < len(kept)


def test_what_any_term_does_not_observe_is_not_observed(
    rig: HydraulicDataModule, bank: Bank
) -> None:
    def gather(rows: np.ndarray) -> TrainingBatch:
        batch = rig.dataset.gather(rows)
        observed = batch.inputs.sensor_observed.clone()
        observed[3::17, 2] = False
        features = batch.inputs.sensor_features.clone()
        features[3::17, 2] = torch.nan
        inputs = batch.inputs._replace(sensor_observed=observed, sensor_features=features)
        return batch._replace(inputs=inputs)

    gaps = Bank(rig.split.train, rig.conditions, gather)
    batch = drawn(rig, DriftTransplant(gaps, 9), ROWS)
    assert batch.inputs.sensor_features.isfinite().all()
    observed = batch.inputs.sensor_observed.reshape(len(ROWS), 17, 10)
    assert not observed[:, 3, 2].any()
    observed[:, 3, 2] = True
    assert observed.all()


def test_only_training_windows_are_drawn(rig: HydraulicDataModule, known: Conditions) -> None:
    asked: list[int] = []

    def gather(rows: np.ndarray) -> TrainingBatch:
        asked.extend(rows.tolist())
        return rig.dataset.gather(rows)

    bank = Bank(rig.split.train, known, gather)
    for transform in (Recombination(bank, 3), DriftTransplant(bank, 3)):
        drawn(rig, transform, list(range(0, 2205, 20)))
    assert asked
    assert set(asked) <= set(rig.split.train.tolist())


def test_a_task_without_graded_components_is_refused(rig: HydraulicDataModule) -> None:
    nothing = conditions(rig.dataset.machines, [])
    with pytest.raises(SpecError, match=r"data\.transforms: .*accepted with this task: 0"):
        Bank(rig.split.train, nothing, rig.dataset.gather)


def test_a_single_condition_is_refused(rig: HydraulicDataModule, known: Conditions) -> None:
    rows = np.flatnonzero(known.number == known.number[0])
    with pytest.raises(SpecError, match=r"recombination: no two conditions"):
        Recombination(Bank(rows, known, rig.dataset.gather), 1)
