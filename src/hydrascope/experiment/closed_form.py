"""Training of a closed-form model: one fit, one checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.models.base import ClosedFormModel
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.errors import SpecError
from hydrascope.training.checkpoint import write_checkpoint
from hydrascope.training.closed_form import fit_closed_form, rows_to_fit


def fit_at_once(
    name: str,
    data: HydraulicDataModule,
    diagnoser: TensorDiagnoser,
    seed: int,
    record: Mapping[str, Any],
    checkpoint: Path,
    console: Console,
) -> str:
    """Fit the diagnoser's model and return the path of its checkpoint.

    Args:
        name: Name of the model.
        data: The data module, set up.
        diagnoser: Holds the model; its normalisers are already fitted.
        seed: Seed of the fit.
        record: Plain data from which the diagnoser can be rebuilt.
        checkpoint: File to write.
        console: Console to print to.

    Raises:
        SpecError: The model can answer none of the task's heads and scores no normality, or it has
            nothing to learn from.
    """
    model = diagnoser.model
    assert isinstance(model, ClosedFormModel)
    with console.status(f"Fitting {name} …"):
        unanswered = fit_closed_form(diagnoser, data, rows_to_fit(model, data), seed)
    if not model.answered and diagnoser.normality is None:
        reasons = "; ".join(f"{head}: {reason}" for head, reason in unanswered.items())
        raise SpecError(
            f"model: {name} answers none of the task's heads ({reasons or 'there are none'}); "
            "accepted: a network such as gatv2_arma, or another task"
        )
    for head, reason in unanswered.items():
        console.print(f"{name} does not answer {head}: {reason}")
    write_checkpoint(checkpoint, record, diagnoser.state_dict(), model.record())
    return str(checkpoint)
