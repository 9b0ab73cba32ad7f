"""Reading a checkpoint without executing it."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hydrascope.schemas.errors import SpecError

_PREFIX = "diagnoser."


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds beside the state of the training.

    Attributes:
        record: Plain data that `DiagnosisModule` stored: settings, input spec, data fingerprint.
        weights: State of the diagnoser.
        epoch: Epochs finished before it was written, counted from 0.
    """

    record: dict[str, Any]
    weights: dict[str, Tensor]
    epoch: int


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Load a checkpoint; only tensors and plain data are accepted (`weights_only=True`).

    Raises:
        SpecError: Not a checkpoint, or not one of Hydrascope.
    """
    file = Path(path)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise SpecError(f"ckpt: {str(file)!r} is damaged or no checkpoint ({reason})") from error
    if not isinstance(content, dict) or "hydrascope" not in content:
        raise SpecError(f"ckpt: {str(file)!r} was not written by Hydrascope's train.py")
    weights = {
        name.removeprefix(_PREFIX): value
        for name, value in content["state_dict"].items()
        if name.startswith(_PREFIX)
    }
    return Checkpoint(content["hydrascope"], weights, content["epoch"])
