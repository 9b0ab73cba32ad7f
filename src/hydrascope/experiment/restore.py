"""Restoring a diagnoser and its data from a checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.own_metrics import check_own_metrics
from hydrascope.experiment.assemble import SOME_LABELS, build_datamodule, load_checkpoint, recipe_of
from hydrascope.experiment.base import Target
from hydrascope.experiment.data_settings import JudgedData, MovedData
from hydrascope.experiment.job_settings import TRACKED, TrainSettings
from hydrascope.graphs.input_spec import InputSpec, KnownBuilds
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.errors import SpecError
from hydrascope.training.checkpoint import read_checkpoint

_FOLDER_SOURCE = "hydrascope.telemetry.parquet.ParquetSource"
"""Reads other data than those of a training, if these were not in a folder."""


class Restored(NamedTuple):
    """A trained diagnoser, in evaluation mode, with its settings and its data."""

    settings: TrainSettings
    diagnoser: TensorDiagnoser
    data: HydraulicDataModule


def restore(
    ckpt: str, moved: MovedData | None = None, judge: Literal["test", "all"] = "test"
) -> Restored:
    """Restore the settings, the diagnoser and the data of a checkpoint.

    Args:
        ckpt: A file, or a name in MLflow: `mlflow:RUN_ID`, `models:/NAME@ALIAS`.
        moved: New paths of its data, and which test windows are judged; None: as in training.
        judge: Whether they are the training's data, split as then, or others, whose windows are
            all test windows.

    Raises:
        SpecError: There is no such checkpoint; its data source has changed, so that its split would
            mix training and test windows, or, with `judge="all"`, has not; other data have builds
            that it does not know; it is of another version of Hydrascope; or it was written before
            the end of the training, when the thresholds of normality are set.
    """
    with checkpoint_file(ckpt) as file:
        checkpoint = read_checkpoint(file)
    recorded = TrainSettings.model_validate(checkpoint.record["settings"])
    settings = at_new_place(recorded, moved or MovedData(), others=judge == "all")
    data = build_datamodule(settings.data, settings.features, settings.task, settings.seed)
    same = data.source.fingerprint == checkpoint.record["data_fingerprint"]
    if judge == "all":
        if same:
            raise SpecError(
                f"judge: all would judge the data that {ckpt!r} was trained on; accepted: other "
                "data (data.source.folder=PATH), or judge=test"
            )
        data.judge_all()
    elif not same:
        raise SpecError(
            f"ckpt: the data of {settings.data.source.target} changed since {ckpt!r} was trained: "
            f"{checkpoint.record['data_fingerprint'][:12]} then, {data.source.fingerprint[:12]} "
            "now; to judge all windows of data that were not trained on, set judge=all"
        )
    check_own_metrics(settings.task.heads)
    spec = InputSpec.model_validate(checkpoint.record["input_spec"])
    try:
        diagnoser = load_checkpoint(recipe_of(settings, spec), checkpoint)
    except SpecError as error:
        raise SpecError(
            f"ckpt: its weights do not fit {settings.model.name} of this version of Hydrascope; "
            f"train again ({error})"
        ) from None
    builds: KnownBuilds = "any" if diagnoser.of_any_build else "known"
    data.read_as(spec, builds, some=checkpoint.record.get(SOME_LABELS, False))
    data.setup()
    if diagnoser.normality is not None and bool(
        diagnoser.normality.threshold_machine.isnan().all()
    ):
        raise SpecError(
            f"ckpt: {ckpt!r} has no thresholds of normality yet; accepted: best.ckpt of a training "
            "that has ended"
        )
    return Restored(settings, diagnoser, data)


def at_new_place(
    settings: TrainSettings, moved: MovedData, *, others: bool = False
) -> TrainSettings:
    """Return a training's settings with the new paths of its data, and its new test windows.

    Args:
        settings: The training's.
        moved: The paths, and which test windows are judged.
        others: Whether they may be of other data: a folder, whatever the training's source.

    Raises:
        SpecError: The source has no such key, or the data do not exist.
    """
    source, store = settings.data.source, settings.data.store
    given = moved.source.model_dump(exclude_none=True)
    if others and "folder" in given and "folder" not in (source.model_extra or {}):
        source = Target.model_validate({"_target_": _FOLDER_SOURCE, **dict.fromkeys(given)})
    known = source.model_extra or {}
    if unknown := [key for key in given if key not in known]:
        raise SpecError(
            f"data.source.{unknown[0]}: {source.target}, which the checkpoint was trained on, has "
            f"no such key; accepted: {', '.join(known) or 'none'}"
        )
    folder = given.get("folder", known.get("folder"))
    if folder is not None and not Path(folder).exists():
        raise SpecError(
            f"data.source.folder: {str(folder)!r} is not there, seen from {Path.cwd()}; expected "
            "the data that the checkpoint was trained on: data.source.folder=PATH"
        )
    new_source = Target.model_validate(source.model_dump(by_alias=True) | given)
    new_store = store.model_copy(update=moved.store.model_dump(exclude_none=True))
    data = settings.data.model_copy(update={"source": new_source, "store": new_store})
    if isinstance(moved, JudgedData):
        new_split = data.split.model_copy(update=moved.split.model_dump(exclude_none=True))
        data = data.model_copy(update={"split": new_split})
    return settings.model_copy(update={"data": data})


@contextmanager
def checkpoint_file(ckpt: str) -> Iterator[Path]:
    """Yield the file that `ckpt` names; one from MLflow is temporary."""
    if not ckpt.startswith(TRACKED):
        yield Path(ckpt)
        return
    from hydrascope.tracking.fetch import fetch_checkpoint  # MLflow takes seconds to import

    with TemporaryDirectory(prefix="hydrascope-checkpoint-") as folder:
        yield fetch_checkpoint(ckpt, Path(folder))
