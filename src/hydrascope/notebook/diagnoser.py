"""A bundle that answers DataFrames."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self, TypedDict

import pandas as pd

from hydrascope.data.windows import WindowPlan
from hydrascope.graphs.fields import WindowFields
from hydrascope.notebook.answer_table import Answer, answers_of, as_table
from hydrascope.notebook.answerer import AT_ONCE, AnsweredWindows, Answerer
from hydrascope.notebook.loading import need, open_bundle
from hydrascope.packaging.bundle import Bundle
from hydrascope.packaging.registry import REGISTRY_URI
from hydrascope.schemas.arguments import PathOrText, checked
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.task import HeadSpec
from hydrascope.serving.equipment.store import find_machine
from hydrascope.telemetry.folder.settings import ReadingSettings
from hydrascope.telemetry.folder.table_file import EQUIPMENT
from hydrascope.telemetry.frame import FrameSource

if TYPE_CHECKING:
    from hydrascope.notebook.drivers import Driver


class FrameOptions(TypedDict, total=False):
    """What a frame does not say of itself; see `Diagnoser.predict`."""

    equipment_id: str | None
    stride_s: float | None
    reading: Mapping[str, object] | None


class Diagnoser:
    """Answers telemetry in a DataFrame, window by window.

    Windows become numbers as in a training, and numbers answers as in an evaluation. Only machines
    of the training are known. `Diagnoser.load` opens one.

    Args:
        bundle: Opened on the CPU.
        least_right: As in `load`.

    Attributes:
        manifest: What the bundle says of itself: heads, machines and their sensors, window.
    """

    @checked
    def __init__(self, bundle: Bundle, least_right: float | None = None) -> None:
        self.manifest, self._least_right = bundle.manifest, least_right
        self._answerer = Answerer(bundle)
        self._machines = {each.equipment.equipment_id: each for each in bundle.manifest.machines}

    @classmethod
    @checked
    def load(
        cls,
        source: PathOrText,
        *,
        registry_uri: str = REGISTRY_URI,
        least_right: float | None = None,
    ) -> Self:
        """Open a bundle or a checkpoint.

        Args:
            source: A bundle's folder or archive; a bundle in an MLflow registry,
                `models:/NAME@ALIAS` or `models:/NAME/VERSION`; or a checkpoint, a file or
                `mlflow:RUN_ID`, which takes the data that it was trained on, where they lay then.
            registry_uri: Database or server of the registry.
            least_right: The probability of being right from which an answer is reliable, 0 to 1;
                None: the bundle's own for each head.

        Raises:
            SpecError: It is none of these, it is damaged, or an extra that it needs is not
                installed.
        """
        if least_right is not None and not 0 <= least_right <= 1:
            raise SpecError(f"least_right: {least_right!r} is not accepted; expected 0 to 1")
        return cls(open_bundle(source, registry_uri), least_right)

    @checked
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
        shorter than a window and gets no answer. If the model was trained on windows that start
        with the load cycle, and these start elsewhere in it, they are laid from the start of a
        cycle on.

        Args:
            frame: A row a sample: `timestamp` or `time`, `sensor_id`, `value`, perhaps `unit` and a
                column of flags such as `quality`; or a row an instant: the time and a column a
                sensor. Either with `equipment_id`, or of one machine. Values are in the machine
                file's units.
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
        answers: list[Answer] = []
        for batch in self._batches(frame, equipment_id, stride_s, reading):
            answers += self._answers(batch)
        return as_table(answers)

    @checked
    def explain(
        self,
        frame: pd.DataFrame,
        *,
        heads: Sequence[str] | None = None,
        equipment_id: str | None = None,
        stride_s: float | None = None,
        reading: Mapping[str, object] | None = None,
    ) -> pd.DataFrame:
        """Say of every answer of `predict` which sensors it leaned on.

        By integrated gradients, on the way from what the sensors do on average in training to what
        they do in the window: what all sensors added is the difference of the two scores. It takes
        some tenths of a second an answer, and the extra `train`.

        Args:
            frame: As of `predict`.
            heads: Names of the heads whose answers are explained; None: all.
            equipment_id: As of `predict`.
            stride_s: As of `predict`.
            reading: As of `predict`.

        Returns:
            A row for each reliable answer and sensor: the columns of `predict` up to `answer`, then
            `sensor_id`, `sensor_component`, `added` and `share` as in `Driver`. In each answer the
            sensor that did most is first.

        Raises:
            SpecError: As `predict`; or a head is unknown, or the extra is not installed.
        """
        need("captum", "train", "explain")
        from hydrascope.notebook.drivers import drivers_of, drivers_table

        asked = self._heads(heads)
        model = self._answerer.diagnoser
        drivers: list[Driver] = []
        for batch in self._batches(frame, equipment_id, stride_s, reading):
            for answer in self._answers(batch):
                if (head := asked.get(answer.head)) and answer.reliable is not False:
                    row = batch.starts.index(answer.start)
                    fields = WindowFields(*(each[[row]] for each in batch.fields))
                    drivers += drivers_of(model, batch.prepared, fields, head, answer)
        return drivers_table(drivers)

    def _batches(
        self,
        frame: pd.DataFrame,
        equipment_id: str | None,
        stride_s: float | None,
        reading: Mapping[str, object] | None,
    ) -> Iterator[AnsweredWindows]:
        usual = {"max_gap_s": self.manifest.window.max_gap_s}
        settings = validate(ReadingSettings, usual | dict(reading or {}), source="reading")
        spec = self._answerer.spec(stride_s)
        whole = self._with_machine(frame, equipment_id)
        names = whole[EQUIPMENT].dropna().unique()
        machines = {str(name): find_machine(self._machines, str(name)) for name in names}
        source = FrameSource(whole, machines, settings)
        for machine in machines.values():
            plan = self._answerer.plan(source, machine, spec)
            if not len(plan):
                raise _too_short(source, plan)
            for first in range(0, len(plan), AT_ONCE):
                rows = range(first, min(first + AT_ONCE, len(plan)))
                yield self._answerer.answer(source, plan, rows)

    def _answers(self, batch: AnsweredWindows) -> Iterator[Answer]:
        machine, limit = batch.prepared.machine, self._least_right
        return answers_of(self.manifest, machine, batch.starts, batch.decoded, limit)

    def _heads(self, names: Sequence[str] | None) -> dict[str, HeadSpec]:
        heads = {head.name: head for head in self.manifest.task.heads}
        for name in heads if names is None else names:
            if name not in heads:
                raise SpecError(f"heads: no head {name!r}; accepted: {', '.join(heads)}")
        return {name: heads[name] for name in (heads if names is None else names)}

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


def _too_short(source: FrameSource, plan: WindowPlan) -> SpecError:
    extents = source.extents(plan.equipment_id)
    longest_s = max((each.duration.total_seconds() for each in extents), default=0.0)
    return SpecError(
        f"frame: the longest stretch of good samples of {plan.equipment_id} without a gap is "
        f"{longest_s:g} s; expected at least a window, {plan.spec.window_s:g} s"
    )
