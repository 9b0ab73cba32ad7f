"""What is computed once of each machine that a model is asked about."""

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
class KnownMachine:
    """A machine as the model reads it.

    Attributes:
        machine: As it came.
        given: The reference windows that came with it.
        layout: The static part of its graphs.
        computer: Of its windows.
        reference: What its windows are compared with, the mean of given or known reference windows.
        use: Which of these; None where the model reads no references.
    """

    machine: Machine
    given: GivenReference | None
    layout: GraphLayout
    computer: WindowComputer
    reference: SensorReference | None
    use: ReferenceUse | None


class KnownMachines:
    """The machines that a model was asked about so far.

    Args:
        bundle: Of the model.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._manifest, self._diagnoser = bundle.manifest, bundle.diagnoser
        self._engineer = FeatureEngineer(bundle.manifest.features)
        window = bundle.manifest.window
        self._spec = WindowSpec(window.window_s, window.window_s, window.steps)
        self._known: dict[str, KnownMachine] = {}
        self._references = {
            machine.equipment.equipment_id: (machine.topology.sensors, reference)
            for machine in bundle.manifest.machines
            if (reference := bundle.references.get(machine.equipment.equipment_id)) is not None
        }

    def of(self, machine: Machine, given: GivenReference | None) -> KnownMachine:
        """Return what is known of a machine; a changed one, or reference, is another object.

        Raises:
            SpecError: A kind or a sensor of it is not in the model's vocabulary.
        """
        equipment_id = machine.equipment.equipment_id
        known = self._known.get(equipment_id)
        if known is None or known.machine is not machine or known.given is not given:
            layout = GraphLayout.of(
                machine.topology,
                self._manifest.input_spec,
                self._manifest.task.heads,
                any_build=self._diagnoser.of_any_build,
            )
            computer = WindowComputer(machine, self._engineer, self._spec)
            reference, use = self._reference(machine, computer, given)
            known = KnownMachine(machine, given, layout, computer, reference, use)
            self._known[equipment_id] = known
        return known

    def _reference(
        self, machine: Machine, computer: WindowComputer, given: GivenReference | None
    ) -> tuple[SensorReference | None, ReferenceUse | None]:
        """Return what a machine's windows are compared with, and what that is.

        Given windows come before the bundle's reference, which is of a machine of these sensors.
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
            features_of(computer, end_to_end([given.windows[row] for row in rows]), len(rows))
            for rows in alike(given.windows, self._spec.window_s)
        )
        sensors = len(machine.topology.sensors)
        shape = sensors, self._spec.steps, self._engineer.num_features
        return mean_reference(parts, shape, per_step=self._diagnoser.normalizer.per_step)


def alike(windows: Sequence[TelemetryWindow], window_s: float) -> list[list[int]]:
    """Return the rows that can be computed together: one machine, signals alike."""
    groups: defaultdict[object, list[int]] = defaultdict(list)
    for row, window in enumerate(windows):
        signals = window.signals.items()
        alike = tuple(sorted((name, s.rate_hz, len(s.values)) for name, s in signals))
        # Laid end to end, each window must begin at a sample of each of its sensors.
        whole = all(abs(n - rate * window_s) < 1e-6 for _, rate, n in alike)
        subject = id(window.machine), id(window.given)
        groups[(subject, alike, None if whole else row)].append(row)
    return list(groups.values())


def end_to_end(windows: Sequence[TelemetryWindow]) -> dict[str, Signal]:
    """Lay the signals of windows that are alike end to end, as one recording."""
    return {
        name: Signal(np.concatenate([w.signals[name].values for w in windows]), signal.rate_hz)
        for name, signal in windows[0].signals.items()
    }


def features_of(
    computer: WindowComputer, signals: Mapping[str, Signal], windows: int
) -> tuple[Tensor, Tensor]:
    """Return features [W, S, T, F] and observed [W, S, T] of windows that lie `end_to_end`."""
    starts_s = np.arange(windows, dtype=np.float64) * computer.spec.window_s
    return computer.features(signals, starts_s)
