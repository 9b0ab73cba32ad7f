"""Training a model of closed form: one fit, one checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.models.base import ClosedFormModel
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.schemas.errors import SpecError
from hydrascope.training.checkpoint import write_checkpoint
from hydrascope.training.closed_form import fit_closed_form, fitted_rows


def fit_at_once(
    name: str,
    data: HydraulicDataModule,
    diagnoser: Diagnoser,
    seed: int,
    record: Mapping[str, Any],
    checkpoint: Path,
    console: Console,
) -> str:
    """Fit the diagnoser's model, whose normalisers are fitted, and return its checkpoint's path.

    Args:
        name: Of the model.
        data: Set up.
        diagnoser: That holds the model.
        seed: Of the fit.
        record: Plain data: all that is needed to build the diagnoser again.
        checkpoint: File to write.
        console: To print to.

    Raises:
        SpecError: It can answer none of the task's heads.
    """
    model = diagnoser.model
    assert isinstance(model, ClosedFormModel)
    with console.status(f"Fitting {name} …"):
        unanswered = fit_closed_form(diagnoser, data, fitted_rows(data), seed)
    if not model.answered:
        reasons = "; ".join(f"{head}: {reason}" for head, reason in unanswered.items())
        raise SpecError(
            f"model: {name} answers none of the task's heads ({reasons or 'there are none'}); "
            "accepted: a network such as gatv2_arma, or another task"
        )
    for head, reason in unanswered.items():
        console.print(f"{name} does not answer {head}: {reason}")
    write_checkpoint(checkpoint, record, diagnoser.state_dict(), model.record())
    return str(checkpoint)
