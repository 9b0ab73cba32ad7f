"""The last part of a training: on all windows that may be learned from."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.assemble import load_checkpoint
from hydrascope.experiment.fitting import BEST, Training, checkpoints, train_epochs
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.processes import is_first_process
from hydrascope.schemas.errors import SpecError
from hydrascope.training.checkpoint import read_checkpoint, write_fitted
from hydrascope.training.checkpoint_files import KeptCheckpoint
from hydrascope.training.interruption import EndOnSigterm


def check_refit(settings: TrainSettings) -> None:
    """Refuse it where the validation windows are needed to the end.

    Raises:
        SpecError: Naming the key and what is accepted.
    """
    fraction = settings.trainer.refit_fraction
    if fraction and settings.task.normality:
        raise SpecError(
            f"trainer.refit_fraction: {fraction} is not accepted with task.normality, whose "
            "thresholds are set on windows that are not learned from; accepted: null"
        )


def refit(
    settings: TrainSettings, data: HydraulicDataModule, fraction: float, best: str, console: Console
) -> str:
    """Train the best weights on, with the validation windows too; return their checkpoint's path.

    The validation windows have done their work by then: they chose the weights, and calibrated
    them. That calibration stays. A training that is broken off here goes on from the beginning of
    this part.

    Args:
        settings: Of the training.
        data: As it was trained on.
        fraction: Of the epochs there were; the learning rate warms up and falls once more.
        best: Path of the best checkpoint, complete; it is replaced at the end.
        console: To print to.

    Raises:
        SpecError: There is not enough memory, or a batch spoils the weights.
    """
    chosen, epochs = read_checkpoint(best), max(1, round(fraction * settings.trainer.max_epochs))
    diagnoser = load_checkpoint(
        settings, data.input_spec, replace(chosen, calibration=None)
    ).train()
    folder = checkpoints(settings)
    kept = KeptCheckpoint(
        folder,
        before=None,
        filename="refitted",
        monitor="step",
        mode="max",
        every_n_epochs=epochs,
        save_on_train_epoch_end=True,
    )
    training = Training(epochs, [kept, EndOnSigterm(None)], loggers=[], validate=False)
    with data.validation_joined():
        console.print(
            f"Refitting on all {len(data.split.train)} windows of training and validation, "
            f"{epochs} epochs"
        )
        train_epochs(settings, data, diagnoser, training, console)
    refitted = folder / BEST
    if is_first_process():
        write_fitted(kept.best_model_path, {}, chosen.calibration)
        Path(kept.best_model_path).replace(refitted)
    return str(refitted)
