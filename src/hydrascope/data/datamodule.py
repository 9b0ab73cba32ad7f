"""Source → windows → split → loaders, as Lightning asks for them."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from hydrascope.data.dataset import PackedMachine, SeededShuffle, TrainingBatch, WindowDataset
from hydrascope.data.splits import SPLITS, Rows, Split
from hydrascope.data.targets import check_labels, encode_targets
from hydrascope.data.windows import WindowSpec, extract_windows
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout
from hydrascope.graphs.physics import edge_dynamic_names
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.task import HeadLevel, TaskSpec
from hydrascope.telemetry.source import TelemetrySource


class HydraulicDataModule(LightningDataModule):
    """Windows of every machine of a source, split, and served in batches.

    Attributes (after `setup`):
        input_spec: What the numbers of a batch mean.
        machines: Machines by equipment id.
        dataset: All windows.
        table: A row for each window: `equipment_id`, `start`, labels.
        split: Rows of the table in each part.
    """

    input_spec: InputSpec
    machines: dict[str, Machine]
    dataset: WindowDataset
    table: pd.DataFrame
    split: Split

    def __init__(
        self,
        source: TelemetrySource,
        window: WindowSpec,
        engineer: FeatureEngineer,
        task: TaskSpec,
        *,
        split: str,
        folds: int,
        fold: int,
        val_fraction: float,
        batch_size: int,
        num_workers: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.source, self.window, self.engineer, self.task = source, window, engineer, task
        self.split_name, self.folds, self.fold, self.val_fraction = split, folds, fold, val_fraction
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self._ready = False

    def setup(self, stage: str | None = None) -> None:  # noqa: ARG002 (Lightning names it)
        """Read telemetry, compute features, split; once, whatever the stage."""
        if self._ready:
            return
        self.machines = dict(self.source.machines())
        heads = self.task.heads
        self.input_spec = InputSpec.of(
            (machine.topology for machine in self.machines.values()),
            self.engineer.feature_names,
            self.window.steps,
            (head.name for head in heads if head.level is HeadLevel.COMPONENT),
            edge_dynamic_names=edge_dynamic_names(self.engineer.config),
            machine_feature_names=self.engineer.config.hydraulic_names,
        )
        packed, tables = [], []
        for machine in self.machines.values():
            windows = extract_windows(self.source, machine, self.window, self.engineer)
            layout = GraphLayout.of(machine.topology, self.input_spec, heads)
            targets = encode_targets(heads, machine.topology, windows.table)
            packed.append(PackedMachine(layout, windows.fields, targets))
            tables.append(windows.table)
        check_labels(heads, [machine.targets for machine in packed])
        self.dataset = WindowDataset(packed)
        self.table = pd.concat(tables, ignore_index=True)
        self.split = SPLITS[self.split_name](self.table, self.folds, self.fold, self.val_fraction)
        self._ready = True

    def training_parts(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield each machine's slots, features and observed of the training windows alone."""
        for machine, rows in self._training_rows():
            fields = machine.fields
            yield (
                machine.layout.sensor_slot,
                fields.sensor_features[rows],
                fields.sensor_observed[rows],
            )

    def training_machine_parts(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield the machines' own features likewise: one slot for all, and which are known."""
        for machine, rows in self._training_rows():
            features = machine.fields.machine_features[rows].unsqueeze(1)
            known = machine.fields.machine_features_mask[rows].unsqueeze(1)
            yield torch.zeros(1, dtype=torch.int64), features, known

    def _training_rows(self) -> Iterator[tuple[PackedMachine, Rows]]:
        first = 0
        for machine in self.dataset.machines:
            rows = self.split.train - first
            rows = rows[(rows >= 0) & (rows < len(machine))]
            if len(rows):
                yield machine, rows
            first += len(machine)

    def train_dataloader(self) -> DataLoader[TrainingBatch]:
        """Serve the training windows, shuffled."""
        return self._loader(SeededShuffle(self.split.train, self.seed))

    def val_dataloader(self) -> DataLoader[TrainingBatch]:
        """Serve the validation windows in order."""
        return self._loader(self.split.val.tolist())

    def test_dataloader(self) -> DataLoader[TrainingBatch]:
        """Serve the test windows in order."""
        return self._loader(self.split.test.tolist())

    def _loader(self, rows: SeededShuffle | Sequence[int]) -> DataLoader[TrainingBatch]:
        return DataLoader(
            self.dataset,
            batch_size=self.batch_size,
            sampler=rows,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            collate_fn=_already_batched,
        )


def _already_batched(batch: Any) -> Any:
    """`WindowDataset.__getitems__` gathers whole batches; there is nothing left to collate."""
    return batch
