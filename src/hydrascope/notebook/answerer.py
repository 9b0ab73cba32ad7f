"""Windows of any source, computed as in a training and answered as in an evaluation."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import pandas as pd
from torch import Tensor

from hydrascope.data.extraction import compute_windows
from hydrascope.data.windows import WindowPlan, plan_machine
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.graphs.fields import WindowFields
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.notebook.alignment import aligned
from hydrascope.packaging.bundle import Bundle
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.model.machine_cache import MachineCache, PreparedMachine
from hydrascope.serving.windows import GivenReference
from hydrascope.telemetry.source import TelemetrySource

AT_ONCE = 128
"""Windows that are computed and answered together: memory stays flat however long the telemetry.
With fewer, a block of a file is read more often. With more, a network's tensors leave the caches of
a core, and glibc maps the largest anew each time."""


class AnsweredWindows(NamedTuple):
    """Some windows of a machine, computed and answered together."""

    prepared: PreparedMachine
    starts: Sequence[pd.Timestamp]
    fields: WindowFields
    decoded: Mapping[str, Tensor]


class Answerer:
    """Answers windows of machines that a bundle can read.

    Args:
        bundle: Opened on the CPU.

    Attributes:
        manifest: What the bundle says of itself.
        version: Of the bundle.
        diagnoser: Of the bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.manifest, self.version = bundle.manifest, bundle.version
        self.diagnoser: TensorDiagnoser = bundle.diagnoser
        self._prepared = MachineCache(bundle)
        self._engineer = FeatureEngineer(bundle.manifest.features)

    def spec(self, stride_s: float | None = None) -> WindowSpec:
        """Return how windows are laid.

        Args:
            stride_s: From the start of a window to that of the next one; None: their length.

        Raises:
            SpecError: `stride_s` is not accepted.
        """
        window = self.manifest.window
        stride_s = window.window_s if stride_s is None else stride_s
        if not 0 < stride_s < math.inf:
            raise SpecError(f"stride_s: {stride_s:g} is not accepted; expected seconds, above 0")
        return WindowSpec(window.window_s, stride_s, window.steps, window.last)

    def plan(
        self,
        source: TelemetrySource,
        machine: Machine,
        spec: WindowSpec,
        given: GivenReference | None = None,
    ) -> WindowPlan:
        """Lay the windows of a machine as in the training of the model.

        They begin with the start of a load cycle if that is needed. A machine without a recording
        as long as a window has none, or a padded one if short machines were padded in training.

        Args:
            source: Where the telemetry is.
            machine: A machine of the source.
            spec: How windows are laid.
            given: The machine's own reference windows.

        Raises:
            SpecError: The model cannot read the machine.
        """
        self._prepared.get(machine, given)
        laid = plan_machine(source, machine, spec, self.manifest.window.short)
        return aligned(laid, partial(self.answer, source, given=given))

    def answer(
        self,
        source: TelemetrySource,
        plan: WindowPlan,
        rows: range,
        given: GivenReference | None = None,
    ) -> AnsweredWindows:
        """Answer windows `rows` of a plan.

        Raises:
            SpecError: The model cannot read the machine, or the telemetry is damaged.
        """
        prepared = self._prepared.get(plan.machine, given)
        fields = compute_windows(source, plan, self._engineer, rows)
        decoded = self.diagnoser.predict(prepared.layout.batch(fields, prepared.reference))
        return AnsweredWindows(prepared, plan.starts(rows).to_list(), fields, decoded)
