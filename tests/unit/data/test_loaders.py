"""Loaders: each part served as it should be, balanced, resumed in the middle of an epoch."""

from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.loaders import (
    DataLoaderConfig,
    balance_classes,
    create_dataloader,
    create_train_val_loaders,
)
from hydrascope.schemas import SpecError


def test_training_windows_are_shuffled_and_validation_windows_are_not(
    rig: HydraulicDataModule,
) -> None:
    config = DataLoaderConfig(batch_size=32, seed=1)
    train, val = create_train_val_loaders(rig.dataset, rig.split, config)
    windows = [batch.window for batch in train]
    assert sorted(torch.cat(windows).tolist()) == rig.split.train.tolist()
    assert windows[0].tolist() != rig.split.train[:32].tolist()
    assert torch.cat([batch.window for batch in val]).tolist() == rig.split.val.tolist()
    everything = create_dataloader(rig.dataset, config)
    assert sum(len(batch.window) for batch in everything) == len(rig.dataset)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_state_counts_what_was_handed_out_and_not_what_was_made_ahead(
    rig: HydraulicDataModule, workers: int
) -> None:
    config = DataLoaderConfig(batch_size=100, num_workers=workers)
    loader = create_dataloader(rig.dataset, config, training=True)
    loader.windows.set_epoch(3)
    iterator = iter(loader)
    for _ in range(4):
        next(iterator)
    state = loader.state_dict()
    assert state == {"epoch": 3, "offset": 4}
    rest = [batch.window.tolist() for batch in iterator]
    resumed = create_dataloader(rig.dataset, config, training=True)
    resumed.load_state_dict(state)
    assert [batch.window.tolist() for batch in resumed] == rest


def test_balanced_batches_draw_conditions_or_a_heads_classes_equally_often(
    rig: HydraulicDataModule,
) -> None:
    for balance, column in (("cooler", "cooler"), ("stable", "stable"), ("condition", "condition")):
        config = DataLoaderConfig(batch_size=64, balance=balance)
        loader = create_dataloader(
            rig.dataset, config, rig.split.train, training=True, table=rig.table
        )
        rows = torch.cat([batch.window for batch in loader]).numpy()
        counts = rig.table[column].iloc[rows].value_counts()
        assert len(counts) == rig.table[column].iloc[rig.split.train].nunique()
        assert counts.max() - counts.min() <= 1
        assert set(rows) <= set(rig.split.train)


def test_the_classes_of_a_head_are_those_of_its_label(rig: HydraulicDataModule) -> None:
    classes = balance_classes(rig.dataset, "valve", rig.table)
    expected = pd.factorize(rig.table["valve"])[0]
    pairs = set(zip(classes.tolist(), expected.tolist(), strict=True))
    assert len(pairs) == 4


def test_what_cannot_be_balanced_by_is_refused(rig: HydraulicDataModule) -> None:
    config = DataLoaderConfig(balance="wheel")
    with pytest.raises(SpecError, match=r"data\.balance: 'wheel' .* condition, cooler, valve"):
        create_dataloader(rig.dataset, config, training=True, table=rig.table)


class Mean(LightningModule):
    """A regression of the feature means on a scrambled target; logs every step's loss."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.layer = nn.Linear(features, 1)
        self.losses: list[tuple[int, int, float]] = []

    def training_step(self, batch: TrainingBatch, _batch_idx: int) -> Tensor:
        x = batch.inputs.sensor_features.mean((0, 1)).log1p().nan_to_num()
        loss = (self.layer(x) - batch.window.float().mean() / 1000).square().mean()
        self.losses.append((self.current_epoch, self.global_step, loss.item()))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-3)


def fit(
    data: HydraulicDataModule, folder: Path, every: int | None = None, resume: Path | None = None
) -> list[tuple[int, int, float]]:
    lightning.seed_everything(0, verbose=False)
    module = Mean(len(data.input_spec.feature_names))
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=4,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_val_batches=0,
        callbacks=[ModelCheckpoint(folder, "{step}", every_n_train_steps=every, save_top_k=-1)]
        if every
        else [],
        enable_checkpointing=every is not None,
    )
    trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    return module.losses


@pytest.mark.parametrize("workers", [0, 2])
def test_a_training_resumed_at_any_step_has_the_losses_of_an_uninterrupted_one(
    rig: HydraulicDataModule, tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = DataLoaderConfig(batch_size=256, num_workers=workers, seed=2, balance="cooler")
    monkeypatch.setattr(rig, "loader", config)
    monkeypatch.setattr(rig, "trainer", None)
    steps = len(rig.train_dataloader())
    assert steps == 7
    whole = fit(rig, tmp_path, every=1)
    assert len(whole) == 4 * steps
    # In the first epoch, the middle of one, the last step of one, the first of the next.
    for step in [3, 10, 14, 15] if workers == 0 else [10, 14]:
        resumed = fit(rig, tmp_path, resume=tmp_path / f"step={step}.ckpt")
        assert resumed == whole[step:], step


def test_statistics_are_those_of_all_windows(rig: HydraulicDataModule) -> None:
    statistics = rig.dataset.get_statistics()
    machine = rig.dataset.machines[0]
    x = machine.read("sensor_features").numpy().astype(np.float64)
    np.testing.assert_allclose(statistics.feature_mean, x.mean((0, 2)), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(statistics.feature_std, x.std((0, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(statistics.feature_min, x.min((0, 2)))
    np.testing.assert_array_equal(statistics.feature_max, x.max((0, 2)))
    assert (statistics.windows, statistics.machines) == (2205, 1)
    assert statistics.sensors_per_graph == 17
    assert statistics.observed_share == 1.0
    values = rig.table["stable"].value_counts()
    assert statistics.labels["stable"] == {0.0: values[0.0], 1.0: values[1.0]}
    assert rig.dataset.get_equipment_ids() == ["zema"]
