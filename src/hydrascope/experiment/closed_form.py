"""Training a model of closed form: one fit, one checkpoint; and what cannot be asked of it."""

from pathlib import Path

from rich.console import Console

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.fitting import checkpoint_record
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.models.base import ClosedFormModel
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.schemas.errors import SpecError
from hydrascope.training.checkpoint import write_checkpoint
from hydrascope.training.closed_form import fit_closed_form, fitted_rows


def fit_at_once(
    settings: TrainSettings, data: HydraulicDataModule, diagnoser: Diagnoser, console: Console
) -> str:
    """Fit the diagnoser's model, whose normalisers are fitted, and return its checkpoint's path.

    Raises:
        SpecError: It can answer none of the task's heads.
    """
    model, name = diagnoser.model, settings.model.name
    assert isinstance(model, ClosedFormModel)
    with console.status(f"Fitting {name} …"):
        unanswered = fit_closed_form(diagnoser, data, fitted_rows(data), settings.seed)
    if not model.answered:
        reasons = "; ".join(f"{head}: {reason}" for head, reason in unanswered.items())
        raise SpecError(
            f"model: {name} answers none of the task's heads ({reasons or 'there are none'}); "
            "accepted: a network such as gatv2_arma, or another task"
        )
    for head, reason in unanswered.items():
        console.print(f"{name} does not answer {head}: {reason}")
    path = Path(settings.run_dir).absolute() / "checkpoints" / "best.ckpt"
    record = checkpoint_record(settings, data)
    write_checkpoint(path, record, diagnoser.state_dict(), model.record())
    return str(path)
