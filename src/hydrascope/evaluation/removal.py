"""Inputs as they would be without some of the sensors."""

from collections.abc import Sequence

import torch

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.physics import MachinePhysics


class SensorRemoval:
    """Removes sensors from batches, and the physical features that are computed from them.

    Reference windows are kept: they were recorded before a sensor was lost.

    Args:
        data: The data module of the batches, set up.
    """

    def __init__(self, data: HydraulicDataModule) -> None:
        spec = data.input_spec
        self._data, self._slots = data, {name: row for row, name in enumerate(spec.sensor_slots)}
        self._has_physics = bool(spec.edge_dynamic_names or spec.machine_feature_names)
        self._physics: dict[str, MachinePhysics] = {}

    def without(self, batch: TrainingBatch, missing: Sequence[str]) -> TrainingBatch:
        """Return the batch with these sensors unobserved at all steps.

        Args:
            batch: Windows in ascending order, of machines of one build.
            missing: Slot names (`graphs.input_spec.sensor_slot`).
        """
        if not missing:
            return batch
        inputs = batch.inputs
        rows = torch.tensor([self._slots[name] for name in missing])
        removed = torch.isin(inputs.sensor_slot, rows)
        inputs = inputs._replace(sensor_observed=inputs.sensor_observed & ~removed.unsqueeze(1))
        if self._has_physics:
            inputs = self._with_physics(batch, inputs)
        return batch._replace(inputs=inputs)

    def _with_physics(self, batch: TrainingBatch, inputs: GraphInputs) -> GraphInputs:
        """Recompute the physical features from the remaining sensors."""
        windows = len(batch.window)
        features, observed = (
            each.reshape(windows, -1, *each.shape[1:])
            for each in (inputs.sensor_features, inputs.sensor_observed)
        )
        starts = self._data.table["start"]
        parts, first = [], 0
        rows = batch.window.numpy()
        for machine, local in self._data.dataset.locate(rows):
            part = slice(first, first + len(local))
            first = part.stop
            ends = [start.timestamp() for start in starts.iloc[rows[part]]]
            end_s = torch.tensor(ends, dtype=torch.float64) + self._data.window.window_s
            physics = self._physics_of(machine.equipment_id)
            parts.append(physics.window_fields(features[part], observed[part], end_s))
        return inputs._replace(
            edge_dynamic=torch.cat([each.edge_dynamic.flatten(0, 1) for each in parts]),
            edge_dynamic_mask=torch.cat([each.edge_dynamic_mask.flatten(0, 1) for each in parts]),
            machine_features=torch.cat([each.machine_features for each in parts]),
            machine_features_mask=torch.cat([each.machine_features_mask for each in parts]),
        )

    def _physics_of(self, equipment_id: str) -> MachinePhysics:
        if equipment_id not in self._physics:
            machine, config = self._data.machines[equipment_id], self._data.engineer.config
            self._physics[equipment_id] = MachinePhysics(machine, config)
        return self._physics[equipment_id]
