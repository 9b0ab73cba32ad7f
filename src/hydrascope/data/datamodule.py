"""Lightning data module: source → windows → stores → split → loaders."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
from lightning import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.build import StoreConfig, open_stores
from hydrascope.data.combining import combining_transforms
from hydrascope.data.conditions import Conditions, conditions
from hydrascope.data.dataset import HydraulicGraphDataset
from hydrascope.data.healthy import (
    healthy_windows,
    learned_windows,
    machines_apart,
    split_learned,
    true_labels,
)
from hydrascope.data.interval_units import interval_units
from hydrascope.data.label_counts import count_labels
from hydrascope.data.label_faults import (
    check_columns,
    check_counts,
    check_learned,
    check_parts,
    remarks_on_labels,
)
from hydrascope.data.loaders import DataLoaderConfig, WindowLoader, create_dataloader
from hydrascope.data.recombination import RecombinationSpec
from hydrascope.data.references import ReferenceSpec, reference_windows, with_references
from hydrascope.data.split_spec import Split, SplitSpec
from hydrascope.data.splits import make_split
from hydrascope.data.store.window_fields import (
    MACHINE_FEATURES,
    MACHINE_FEATURES_MASK,
    SENSOR_FEATURES,
    SENSOR_OBSERVED,
)
from hydrascope.data.stored_machine import StoredMachine
from hydrascope.data.targets import encode_machines
from hydrascope.data.transforms import Transform
from hydrascope.data.windows import (
    EQUIPMENT,
    WindowNumbers,
    WindowPlan,
    join_tables,
    plan_machines,
    short_remark,
    window_table,
)
from hydrascope.features.config import Short
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.graphs.builder import input_spec
from hydrascope.graphs.input_spec import InputSpec, KnownBuilds
from hydrascope.graphs.layout import layouts_of
from hydrascope.schemas.arguments import checked
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.task import TaskSpec
from hydrascope.telemetry.source import CheckedSource, remarks


class HydraulicDataModule(LightningDataModule):
    """Stores and splits the windows of all machines of a source and serves them in batches.

    Attributes (after `setup`, those of windows and labels after `plan`):
        input_spec: Meaning of the numbers in a batch.
        machines: Machines by equipment id, without skipped ones.
        too_short: Machines whose recordings are all shorter than a window: skipped or padded.
        dataset: All windows.
        table: One row per window: `equipment_id`, `start`, labels.
        reference: Whether a window is a reference of its machine, [rows].
        split: Rows of the table in each part, without references.
        conditions: Condition of each window, from the heads that grade components.
        label_counts: Labelled windows of each part, by head, component, label and class.
        unit: The units that intervals resample, in the plural, such as machines.
        units: Number of each window's unit, [rows]; see `interval_units`.
        healthy_labels: Label column → its value or values in a healthy window when detection is
            judged; this and the next two if the task has `normality`.
        healthy: 1 healthy, 0 unhealthy, NaN unknown by these labels, [rows].
        learned: Whether normality learns from a window, [rows].
    """

    input_spec: InputSpec
    machines: dict[str, Machine]
    too_short: Sequence[str]
    dataset: HydraulicGraphDataset
    table: pd.DataFrame
    reference: NDArray[np.bool_]
    conditions: Conditions
    split: Split
    label_counts: pd.DataFrame
    unit: str
    units: NDArray[np.int64]
    healthy_labels: Mapping[str, object]
    healthy: NDArray[np.float32]
    learned: NDArray[np.bool_]

    @checked
    def __init__(
        self,
        source: CheckedSource,
        window: WindowSpec,
        engineer: FeatureEngineer,
        task: TaskSpec,
        *,
        store: StoreConfig,
        split: SplitSpec,
        loader: DataLoaderConfig,
        transforms: Sequence[Transform] = (),
        reference: ReferenceSpec | None = None,
        recombination: RecombinationSpec | None = None,
        short: Short = "stop",
    ) -> None:
        super().__init__()
        self.source, self.window, self.engineer, self.task = source, window, engineer, task
        self.store, self.split_spec, self.loader = store, split, loader
        self.transforms, self.reference_spec = transforms, reference or ReferenceSpec()
        self.recombination, self.short = recombination or RecombinationSpec(), short
        self._vocabulary: InputSpec | None = None
        self._builds: KnownBuilds = "known"
        self._judges_all = self._some = self._ready = False
        self._plans: list[WindowPlan] = []
        self._targets: list[dict[str, Tensor]] = []

    def read_as(
        self, trained: InputSpec, builds: KnownBuilds = "known", *, some: bool = False
    ) -> None:
        """Read windows as a trained model, before `plan`; with `some`, heads may lack labels."""
        self._vocabulary, self._builds, self._some = trained, builds, some

    def judge_all(self) -> None:
        """Make all windows test windows; call it before `plan`."""
        self._judges_all, self.transforms, self.recombination = True, (), RecombinationSpec()

    def plan(self) -> None:
        """Find, label and split the windows without reading telemetry.

        Raises:
            SpecError: The source, its labels and the task do not match.
        """
        machines, heads = self.source.machines(), self.task.heads
        plans, self.too_short = plan_machines(self.source, machines, self.window, self.short)
        self.machines = {plan.equipment_id: plan.machine for plan in plans}
        topologies = [machine.topology for machine in self.machines.values()]
        apart = machines_apart(self.task, self.machines)
        own = input_spec(topologies, self.engineer.config, self.window, heads, apart)
        known = self._vocabulary
        self.input_spec = own if known is None else known.read_by(own, self._builds)
        tables = [window_table(plan, self.source.labels(plan.equipment_id)) for plan in plans]
        targets = encode_machines(heads, topologies, tables)
        check_columns(heads, topologies, tables, some=self._some)
        self.table = join_tables(tables)
        if self.task.normality is not None:
            self.healthy_labels, key = true_labels(self.task, self.table)
            self.healthy = healthy_windows(self.table, self.healthy_labels, key)
            none = self._judges_all
            self.learned = learned_windows(self.task, self.table, self.window.window_s, none=none)
        self.reference = reference_windows(self.table, self.window.window_s, self.reference_spec)
        self.split = self._split().judged(self.table, self.split_spec.test)
        self.label_counts = count_labels(heads, topologies, targets, self.split)
        self.unit, self.units = interval_units(self.table, self.split_spec, self.split)
        self._plans, self._targets = plans, targets

    def check(self) -> None:
        """Check that the parts allow training and evaluation.

        Raises:
            SpecError: A part is empty, the labels of a head do not suffice, or normality has
                nothing to learn from.
        """
        check_parts(self.split)
        if self.task.normality is not None:
            check_learned(self.split, self.learned)
        check_counts(self.task.heads, self.label_counts, some=self._some)

    def setup(self, stage: str | None = None) -> None:  # noqa: ARG002 (Lightning names it)
        """Open the stores and build missing ones, only once for all stages."""
        if self._ready:
            return
        if not self._plans:
            self.plan()
        plans, targets, heads = self._plans, self._targets, self.task.heads
        stores = open_stores(self.source, plans, self.engineer, self.store)
        layouts = layouts_of(self.machines, self.input_spec, heads, self._builds)
        stored = [
            StoredMachine(plan.equipment_id, layouts[plan.equipment_id], store, target)
            for plan, store, target in zip(plans, stores, targets, strict=True)
        ]
        if self.reference_spec.active:
            stored = with_references(stored, self.reference, self.reference_spec)
        self.conditions = conditions(stored, heads)
        self.dataset = HydraulicGraphDataset(stored, self.transforms, self.loader.seed)
        self._transform()
        self._ready = True

    def remarks(self) -> list[str]:
        """Return the problems of telemetry and labels that harm a training."""
        found = [*remarks(self.source), *remarks_on_labels(self.task.heads, self.label_counts)]
        bare = self.machines.keys() - set(self.table.loc[self.reference, EQUIPMENT])
        if self.reference_spec.active and bare:
            found.append(f"data.reference: no reference window of {', '.join(sorted(bare))}")
        if self.too_short:
            found.append(short_remark(self.short, self.too_short, len(self.source.machines())))
        out = int((~self.reference).sum()) - sum(map(len, self.split))
        if self.split_spec.name == "column" and out:
            found.append(f"data.split: {out} of {len(self.table)} windows are in no part")
        return found

    def overfit(self, windows: int) -> None:
        """Train and validate on `windows` windows, evenly spread over the training part."""
        rows = self.split.train
        few = rows[np.linspace(0, len(rows) - 1, min(windows, len(rows))).astype(np.int64)]
        self.split = self.split._replace(train=few, val=few)

    @contextmanager
    def learning_from(self, train: WindowNumbers) -> Iterator[None]:
        """Train on the windows `train`, without validation, inside the context."""
        before = self.split
        self.split = before._replace(train=train, val=train[:0])
        self._transform()
        try:
            yield
        finally:
            self.split = before
            self._transform()

    def training_parts(
        self, normalizer: FeatureNormalizer
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield rows, features and masks of the training windows for `FeatureNormalizer.fit`."""
        for machine, rows in self.dataset.locate(self.split.train):
            place = machine.layout.sensor_slot, machine.layout.sensor_kind
            for features, observed in machine.parts((SENSOR_FEATURES, SENSOR_OBSERVED), rows):
                yield from normalizer.parts(place, features, observed, machine.own_reference)

    def training_machine_parts(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield row 0, features and masks of the machine features of the training windows."""
        for machine, rows in self.dataset.locate(self.split.train):
            for features, known in machine.parts((MACHINE_FEATURES, MACHINE_FEATURES_MASK), rows):
                yield torch.zeros(1, dtype=torch.int64), features, known

    def training_targets(self, head: str) -> Tensor:
        """Return the targets [rows, L] of a head in the training windows; NaN where missing."""
        parts = self.dataset.locate(self.split.train)
        return torch.cat([machine.targets[head][rows].flatten(0, 1) for machine, rows in parts])

    def train_dataloader(self) -> WindowLoader:
        """Serve the training windows, shuffled."""
        loader = create_dataloader(
            self.dataset, self.loader, self.split.train, training=True, table=self.table
        )
        if self.trainer is not None:
            # Lightning sets the epoch only after creating the loader's iterator, and reuses that
            # iterator in a training resumed between two epochs.
            progress = self.trainer.fit_loop.epoch_progress.current
            loader.windows.set_epoch(progress.processed)  # type: ignore[attr-defined]
        return loader

    def val_dataloader(self) -> WindowLoader:
        """Serve the validation windows in order."""
        return create_dataloader(self.dataset, self.loader, self.split.val)

    def learned_dataloader(self, rows: NDArray[np.int64]) -> WindowLoader:
        """Serve what normality learns from among `rows`, in order and without transforms."""
        return create_dataloader(self.dataset, self.loader, rows[self.learned[rows]])

    def test_dataloader(self) -> WindowLoader:
        """Serve the test windows in order."""
        return create_dataloader(self.dataset, self.loader, self.split.test)

    def _transform(self) -> None:
        """Set the transforms, which draw from the current training windows."""
        combining = combining_transforms(
            self.recombination, self.dataset, self.split.train, self.conditions, self.task.heads
        )
        self.dataset.transforms = (*combining, *self.transforms)

    def _split(self) -> Split:
        """Split the windows that are not references."""
        if self._judges_all:
            self.split_spec = self.split_spec.of_others(self.table)
            return Split.all_tested(~self.reference)
        spec = self.split_spec.without(self.source.machines().keys() - self.machines.keys())
        if not self.task.heads:
            state = np.where(self.reference, np.float32(np.nan), self.healthy)
            learned = self.learned & ~self.reference
            return split_learned(self.table, learned, state, spec)
        rest = np.flatnonzero(~self.reference)
        parts = make_split(self.table.iloc[rest].reset_index(drop=True), spec)
        return Split(*(rest[part] for part in parts))
