"""Reading a checkpoint without executing it."""

import os
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
        readout: What `write_fitted` has added; None before that. Empty where the network's own
            heads answer everything.
        calibration: A `schemas.calibration.Calibration` as plain data, also by `write_fitted`; None
            before that, or where there are no heads to calibrate.
    """

    record: dict[str, Any]
    weights: dict[str, Tensor]
    epoch: int
    readout: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None


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
            return Checkpoint(
                record, weights, epoch, content.get("readout"), content.get("calibration")
            )
        case _:
            raise SpecError(f"ckpt: {str(file)!r} was not written by Hydrascope's train.py")


def write_fitted(
    path: str | Path,
    weights: Mapping[str, Tensor],
    readout: Mapping[str, Any],
    calibration: Mapping[str, Any] | None,
) -> None:
    """Put into a checkpoint what was fitted when the training had ended, replacing it at once.

    Args:
        path: Of a checkpoint.
        weights: State of the diagnoser without its readout, in place of the one it holds.
        readout: Tensors and plain data; empty without a readout.
        calibration: Plain data; None without heads.
    """
    file = Path(path)
    content = torch.load(file, map_location="cpu", weights_only=True)
    content["state_dict"].update({_PREFIX + name: value for name, value in weights.items()})
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    fitted = {"readout": dict(readout), "calibration": calibration and dict(calibration)}
    torch.save(content | fitted, part)
    part.replace(file)
