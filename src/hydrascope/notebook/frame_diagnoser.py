"""A bundle that answers DataFrames."""

import math
from collections.abc import Iterator, Mapping

import pandas as pd

from hydrascope.data.extraction import compute_windows
from hydrascope.data.windows import plan_windows
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.notebook.answer_table import Answer, answers_of, as_table
from hydrascope.packaging.bundle import Bundle
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.machine import Machine
from hydrascope.serving.equipment.store import find_machine
from hydrascope.serving.model.machine_cache import MachineCache
from hydrascope.telemetry.folder.settings import ReadingSettings
from hydrascope.telemetry.folder.table_file import EQUIPMENT
from hydrascope.telemetry.frame import FrameSource

AT_ONCE = 64
"""Windows that are computed and answered together: memory stays flat however long the telemetry."""


class FrameDiagnoser:
    """Answers telemetry in a DataFrame, window by window.

    Windows become numbers as in a training, and numbers answers as in an evaluation. Only machines
    of the training are known.

    Args:
        bundle: Opened on the CPU.

    Attributes:
        manifest: What the bundle says of itself: heads, machines and their sensors, window.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.manifest = bundle.manifest
        self._diagnoser = bundle.diagnoser
        self._prepared = MachineCache(bundle)
        self._engineer = FeatureEngineer(bundle.manifest.features)
        self._machines = {each.equipment.equipment_id: each for each in bundle.manifest.machines}

    def predict(
        self,
        frame: pd.DataFrame,
        *,
        equipment_id: str | None = None,
        stride_s: float | None = None,
        reading: Mapping[str, object] | None = None,
    ) -> pd.DataFrame:
        """Answer every whole window of telemetry.

        Windows are laid from the start of each stretch without a gap on; what is left at its end is
        shorter than a window and gets no answer.

        Args:
            frame: A row a sample: `timestamp`, `sensor_id`, `value`, perhaps `unit` and a column of
                flags such as `quality`; or a row an instant: `timestamp` and a column a sensor.
                Either with `equipment_id`, or of one machine. Values are in the machine file's
                units.
            equipment_id: Whose telemetry it is, where the frame does not say so; None: that of the
                only machine of the training.
            stride_s: From the start of a window to that of the next one; None: their length.
            reading: Keys of `ReadingSettings`, such as `time_zone` and `quality_accepted`.

        Returns:
            A row an answer; columns as in `Answer`.

        Raises:
            SpecError: Naming field, value and what is accepted: columns, a sensor or a machine
                that is unknown, times without zone, telemetry that holds no whole window.
        """
        settings = validate(ReadingSettings, dict(reading or {}), source="reading")
        spec = self._window_spec(stride_s)
        whole = self._with_machine(frame, equipment_id)
        names = whole[EQUIPMENT].dropna().unique()
        machines = {str(name): find_machine(self._machines, str(name)) for name in names}
        source = FrameSource(whole, machines, settings)
        answers: list[Answer] = []
        for machine in machines.values():
            answers += self._answers(source, machine, spec)
        return as_table(answers)

    def _answers(self, source: FrameSource, machine: Machine, spec: WindowSpec) -> Iterator[Answer]:
        _refuse_short(source, machine, spec)
        plan = plan_windows(source, machine, spec)
        prepared, starts = self._prepared.get(machine), plan.starts()
        for first in range(0, len(plan), AT_ONCE):
            rows = range(first, min(first + AT_ONCE, len(plan)))
            fields = compute_windows(source, plan, self._engineer, rows)
            decoded = self._diagnoser.predict(prepared.layout.batch(fields, prepared.reference))
            part = [starts[row] for row in rows]
            yield from answers_of(self.manifest, machine, part, decoded)

    def _window_spec(self, stride_s: float | None) -> WindowSpec:
        window = self.manifest.window
        stride_s = window.window_s if stride_s is None else stride_s
        if not 0 < stride_s < math.inf:
            raise SpecError(f"stride_s: {stride_s!r} is not accepted; expected seconds, above 0")
        return WindowSpec(window.window_s, stride_s, window.steps)

    def _with_machine(self, frame: pd.DataFrame, equipment_id: str | None) -> pd.DataFrame:
        """Return the frame with a column that says whose each row is."""
        if frame.empty:
            raise SpecError("frame: it has no rows; expected telemetry")
        if EQUIPMENT in frame.columns:
            if equipment_id is not None:
                raise SpecError(
                    f"equipment_id: {equipment_id!r} is given, and the frame has a column "
                    f"{EQUIPMENT}; expected one of both"
                )
            return frame
        if equipment_id is None:
            if len(self._machines) > 1:
                some = ", ".join([*self._machines][:20])
                raise SpecError(
                    f"equipment_id: none is given, and the frame has no column {EQUIPMENT}; "
                    f"accepted: {some}"
                )
            (equipment_id,) = self._machines
        find_machine(self._machines, equipment_id)
        return frame.assign(**{EQUIPMENT: equipment_id})


def _refuse_short(source: FrameSource, machine: Machine, spec: WindowSpec) -> None:
    equipment_id = machine.equipment.equipment_id
    extents = source.extents(equipment_id)
    if not any(spec.count(extent) for extent in extents):
        longest_s = max((each.duration.total_seconds() for each in extents), default=0.0)
        raise SpecError(
            f"frame: the longest stretch of good samples of {equipment_id} without a gap is "
            f"{longest_s:g} s; expected at least a window, {spec.window_s:g} s"
        )
