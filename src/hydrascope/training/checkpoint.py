"""Reading a checkpoint without executing it."""

from collections.abc import Mapping
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


def replace_weights(path: str | Path, weights: Mapping[str, Tensor]) -> None:
    """Put a diagnoser's state into a checkpoint in place of the one it holds, at once."""
    file = Path(path)
    content = torch.load(file, map_location="cpu", weights_only=True)
    content["state_dict"].update({_PREFIX + name: value for name, value in weights.items()})
    part = file.with_suffix(".part")
    torch.save(content, part)
    part.replace(file)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Load a checkpoint; only tensors and plain data are accepted (`weights_only=True`).

    Raises:
        SpecError: Not a checkpoint, or not one of Hydrascope.
    """
    file = Path(path)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise SpecError(f"ckpt: {str(file)!r} cannot be read ({error.strerror})") from error
    except Exception as error:  # damaged bytes make torch.load raise nearly anything
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SpecError(f"ckpt: {str(file)!r} is damaged or no checkpoint ({reason})") from error
    match content:
        case {"hydrascope": dict(record), "state_dict": dict(state), "epoch": int(epoch)}:
            weights = {
                name.removeprefix(_PREFIX): value
                for name, value in state.items()
                if name.startswith(_PREFIX)
            }
            return Checkpoint(record, weights, epoch)
        case _:
            raise SpecError(f"ckpt: {str(file)!r} was not written by Hydrascope's train.py")
