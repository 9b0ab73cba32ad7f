"""Machines prepared for a model: the layout of their graphs, and their reference."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.graphs.fields import SensorReference
from hydrascope.graphs.layout import GraphLayout
from hydrascope.graphs.reference import mean_reference
from hydrascope.graphs.window_computer import WindowComputer
from hydrascope.packaging.bundle import Bundle
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.signal import Signal
from hydrascope.serving.windows import GivenReference, ReferenceUse, TelemetryWindow


@dataclass(frozen=True, eq=False)
class PreparedMachine:
    """A machine as the model reads it.

    Attributes:
        machine: As it came.
        given: The reference windows that came with it.
        layout: The static part of its graphs.
        computer: Computes its windows.
        reference: Mean of the given or else the bundle's reference windows, with which its windows
            are compared.
        use: Which of these; None where the model reads no references.
    """

    machine: Machine
    given: GivenReference | None
    layout: GraphLayout
    computer: WindowComputer
    reference: SensorReference | None
    use: ReferenceUse | None


class MachineCache:
    """Prepares each machine once for a bundle's model."""

    def __init__(self, bundle: Bundle) -> None:
        self._manifest, self._diagnoser = bundle.manifest, bundle.diagnoser
        self._engineer = FeatureEngineer(bundle.manifest.features)
        window = bundle.manifest.window
        self._spec = WindowSpec(window.window_s, window.window_s, window.steps)
        self._prepared: dict[str, PreparedMachine] = {}
        self._references = {
            machine.equipment.equipment_id: (machine.topology.sensors, reference)
            for machine in bundle.manifest.machines
            if (reference := bundle.references.get(machine.equipment.equipment_id)) is not None
        }

    def get(self, machine: Machine, given: GivenReference | None = None) -> PreparedMachine:
        """Return a prepared machine; prepare it again if it or its reference is another object.

        Raises:
            SpecError: A kind or a sensor of it is not in the model's vocabulary.
        """
        equipment_id = machine.equipment.equipment_id
        found = self._prepared.get(equipment_id)
        if found is None or found.machine is not machine or found.given is not given:
            layout = GraphLayout.of(
                machine.topology,
                self._manifest.input_spec,
                self._manifest.task.heads,
                any_build=self._diagnoser.of_any_build,
            ).of_machine(equipment_id, self._manifest.input_spec)
            computer = WindowComputer(machine, self._engineer, self._spec)
            reference, use = self._reference(machine, computer, given)
            found = PreparedMachine(machine, given, layout, computer, reference, use)
            self._prepared[equipment_id] = found
        return found

    def _reference(
        self, machine: Machine, computer: WindowComputer, given: GivenReference | None
    ) -> tuple[SensorReference | None, ReferenceUse | None]:
        """Return the reference of a machine, and which one it is.

        Given windows take precedence over the bundle's reference, which holds only while the
        machine has the same sensors.
        """
        reads = self._diagnoser.model.references
        if given is not None and reads != "none":
            mean = self._mean(machine, computer, given)
            if mean.sensor_reference_mask.any():
                return mean, ReferenceUse.GIVEN
        sensors, reference = self._references.get(machine.equipment.equipment_id, ((), None))
        if sensors != machine.topology.sensors:
            reference = None
        if reads == "none":
            return reference, None
        if reference is not None and reference.sensor_reference_mask.any():
            return reference, ReferenceUse.BUNDLE
        return reference, ReferenceUse.NEEDED if reads == "alone" else ReferenceUse.MISSING

    def _mean(
        self, machine: Machine, computer: WindowComputer, given: GivenReference
    ) -> SensorReference:
        parts = (
            compute_features(computer, concatenate([given.windows[row] for row in rows]), len(rows))
            for rows in group_alike(given.windows, self._spec.window_s)
        )
        sensors = len(machine.topology.sensors)
        shape = sensors, self._spec.steps, self._engineer.num_features
        return mean_reference(parts, shape, per_step=self._diagnoser.normalizer.per_step)


def group_alike(windows: Sequence[TelemetryWindow], window_s: float) -> list[list[int]]:
    """Return groups of rows that can be computed together: one machine, signals alike."""
    groups: defaultdict[object, list[int]] = defaultdict(list)
    for row, window in enumerate(windows):
        signals = window.signals.items()
        shape = tuple(sorted((name, s.rate_hz, len(s.values)) for name, s in signals))
        # In a concatenation each window must begin at a sample of each of its sensors.
        whole = all(abs(n - rate * window_s) < 1e-6 for _, rate, n in shape)
        subject = id(window.machine), id(window.given)
        groups[(subject, shape, None if whole else row)].append(row)
    return list(groups.values())


def concatenate(windows: Sequence[TelemetryWindow]) -> dict[str, Signal]:
    """Concatenate the signals of windows that are alike into one recording."""
    return {
        name: Signal(np.concatenate([w.signals[name].values for w in windows]), signal.rate_hz)
        for name, signal in windows[0].signals.items()
    }


def compute_features(
    computer: WindowComputer, signals: Mapping[str, Signal], windows: int
) -> tuple[Tensor, Tensor]:
    """Return features [W, S, T, F] and observed [W, S, T] of W windows that were concatenated."""
    starts_s = np.arange(windows, dtype=np.float64) * computer.spec.window_s
    return computer.features(signals, starts_s)
