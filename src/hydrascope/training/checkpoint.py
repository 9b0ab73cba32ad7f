"""Reading a checkpoint without executing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hydrascope.schemas.errors import SpecError
from hydrascope.training.checkpoint_files import save_whole

_PREFIX = "diagnoser."
_BEFORE = "diagnoser.network."
"""How the state of a network was named in versions of before."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds beside the state of the training.

    Attributes:
        record: Plain data that `DiagnosisModule` stored: settings, input spec, data fingerprint.
        weights: State of the diagnoser.
        epoch: Epochs finished before it was written, counted from 0; None of a model without.
        fitted: What a model of closed form needs beside its state, as plain data; None of others.
        calibration: A `schemas.calibration.Calibration` as plain data, by `write_fitted`; None
            before that, or where there are no heads to calibrate.
    """

    record: dict[str, Any]
    weights: dict[str, Tensor]
    epoch: int | None
    fitted: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Load a checkpoint; only tensors and plain data are accepted (`weights_only=True`).

    Raises:
        SpecError: Not a checkpoint, or not one of this version of Hydrascope.
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
        case {
            "hydrascope": dict(record),
            "state_dict": dict(state),
            "epoch": int() | None as epoch,
        }:
            if "readout" in content or any(name.startswith(_BEFORE) for name in state):
                raise SpecError(
                    f"ckpt: {str(file)!r} is of an older version of Hydrascope; train again"
                )
            weights = {
                name.removeprefix(_PREFIX): value
                for name, value in state.items()
                if name.startswith(_PREFIX)
            }
            return Checkpoint(
                record, weights, epoch, content.get("fitted"), content.get("calibration")
            )
        case _:
            raise SpecError(f"ckpt: {str(file)!r} was not written by Hydrascope's train.py")


def write_checkpoint(
    path: str | Path,
    record: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    fitted: Mapping[str, Any],
) -> None:
    """Write the checkpoint of a model of closed form; what a network's holds is Lightning's to say.

    Args:
        path: Where to; its folder is made.
        record: Plain data: all that is needed to build the diagnoser again.
        weights: State of the diagnoser.
        fitted: Plain data; see `Checkpoint`.
    """
    state = {_PREFIX + name: value for name, value in weights.items()}
    content = {"hydrascope": dict(record), "state_dict": state, "epoch": None}
    save_whole(content | {"fitted": dict(fitted)}, Path(path))


def write_fitted(
    path: str | Path, weights: Mapping[str, Tensor], calibration: Mapping[str, Any] | None
) -> None:
    """Put into a checkpoint what was fitted when the training had ended, replacing it at once.

    Args:
        path: Of a checkpoint.
        weights: State of the diagnoser without its calibration, in place of the one it holds.
        calibration: Plain data; None without heads.
    """
    file = Path(path)
    content = torch.load(file, map_location="cpu", weights_only=True)
    content["state_dict"].update({_PREFIX + name: value for name, value in weights.items()})
    save_whole(content | {"calibration": calibration and dict(calibration)}, file)
