"""The check that a training is resumed with the settings of its checkpoint."""

from hydrascope.experiment.assemble import SOME_LABELS
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.schemas.errors import SpecError
from hydrascope.tracking.loggers import flatten
from hydrascope.training.checkpoint import Checkpoint

_FREE = (
    "init",
    "resume",
    "lr_find",
    "run_dir",
    "baselines",
    "trainer.",
    "hardware.",
    "tracking.",
    "callbacks.",
    "launcher.",
    "data.store.",
    "data.num_workers",
)
"""The keys that may differ, because they do not change what a step computes."""


def check_resumable(settings: TrainSettings, checkpoint: Checkpoint) -> None:
    """Check that the resumed training would continue the losses of the same run.

    Raises:
        SpecError: Names every key that differs, with both values; or initial weights are missing.
    """
    now = flatten(settings.model_dump(mode="json", by_alias=True))
    then = flatten(checkpoint.record["settings"])
    faults = [
        f"{key}: the checkpoint was trained with {then.get(key)!r}, now {now.get(key)!r}"
        for key in sorted(now.keys() | then.keys())
        if now.get(key) != then.get(key) and not key.startswith(_FREE)
    ]
    if checkpoint.record.get(SOME_LABELS) and settings.init is None:
        # Labels that are missing, and the calibration of rare flags, depend on them.
        faults.append("init: the checkpoint's training began with other weights; give init=… again")
    if faults:
        raise SpecError(*faults, source="resume")
