"""Inputs as they would be, had some sensors given nothing."""

from collections.abc import Sequence

import torch

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.physics import MachinePhysics


class SensorRemoval:
    """Takes sensors away from batches, and with them what physics makes of them.

    Reference windows stay: they were recorded before a sensor was lost.

    Args:
        data: Whose batches they are; set up.
    """

    def __init__(self, data: HydraulicDataModule) -> None:
        spec = data.input_spec
        self._data, self._slots = data, {name: row for row, name in enumerate(spec.sensor_slots)}
        self._follows = bool(spec.edge_dynamic_names or spec.machine_feature_names)
        self._physics: dict[str, MachinePhysics] = {}

    def without(self, batch: TrainingBatch, missing: Sequence[str]) -> TrainingBatch:
        """Return the batch with these sensors unobserved throughout.

        Args:
            batch: Of windows in ascending order, of machines of one build.
            missing: Names of slots (`graphs.input_spec.sensor_slot`).
        """
        if not missing:
            return batch
        inputs = batch.inputs
        gone = torch.isin(inputs.sensor_slot, torch.tensor([self._slots[name] for name in missing]))
        inputs = inputs._replace(sensor_observed=inputs.sensor_observed & ~gone.unsqueeze(1))
        if self._follows:
            inputs = self._with_physics(batch, inputs)
        return batch._replace(inputs=inputs)

    def _with_physics(self, batch: TrainingBatch, inputs: GraphInputs) -> GraphInputs:
        """Compute anew what follows from the sensors that are left."""
        windows = len(batch.window)
        features, observed = (
            each.reshape(windows, -1, *each.shape[1:])
            for each in (inputs.sensor_features, inputs.sensor_observed)
        )
        starts = self._data.table["start"]
        parts, first = [], 0
        rows = batch.window.numpy()
        for machine, local in self._data.dataset.locate(rows):
            mine = slice(first, first + len(local))
            first = mine.stop
            ends = [start.timestamp() for start in starts.iloc[rows[mine]]]
            end_s = torch.tensor(ends, dtype=torch.float64) + self._data.window.window_s
            physics = self._of(machine.equipment_id)
            parts.append(physics.window_fields(features[mine], observed[mine], end_s))
        return inputs._replace(
            edge_dynamic=torch.cat([part.edge_dynamic.flatten(0, 1) for part in parts]),
            edge_dynamic_mask=torch.cat([part.edge_dynamic_mask.flatten(0, 1) for part in parts]),
            machine_features=torch.cat([part.machine_features for part in parts]),
            machine_features_mask=torch.cat([part.machine_features_mask for part in parts]),
        )

    def _of(self, equipment_id: str) -> MachinePhysics:
        if equipment_id not in self._physics:
            machine, config = self._data.machines[equipment_id], self._data.engineer.config
            self._physics[equipment_id] = MachinePhysics(machine, config)
        return self._physics[equipment_id]
