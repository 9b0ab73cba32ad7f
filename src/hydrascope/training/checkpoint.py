"""Checkpoints: reading without executing code, and writing."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hydrascope.models.normality.scored_windows import ScoresByLevel
from hydrascope.schemas.errors import SpecError
from hydrascope.training.checkpoint_files import save_whole

_PREFIX = "diagnoser."
_OLD_PREFIX = "diagnoser.network."
"""The prefix of a network's state in older versions."""


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint, except the state of the training.

    Attributes:
        record: The plain data stored by `DiagnosisModule`: settings, input spec, data fingerprint.
        weights: The state of the diagnoser.
        epoch: The epoch in which it was written, counted from 0; None for a closed-form model.
        fitted: What a closed-form model needs besides its state, as plain data; None for others.
        calibration: A `schemas.calibration.Calibration` as plain data, added by `write_fitted`;
            None before that, or without heads to calibrate.
        in_turn: The parts of `Normality.in_turn` by level, added by `write_fitted`; None without.
    """

    record: dict[str, Any]
    weights: dict[str, Tensor]
    epoch: int | None
    fitted: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    in_turn: dict[str, list[Tensor]] | None = None


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Load a checkpoint; accepts only tensors and plain data (`weights_only=True`).

    Raises:
        SpecError: The file is not a checkpoint of this version of Hydrascope, or is damaged.
    """
    file = Path(path)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise SpecError(f"ckpt: {str(file)!r} cannot be read ({error.strerror})") from error
    except pickle.UnpicklingError as error:  # torch would have it loaded with all its code
        raise SpecError(
            f"ckpt: {str(file)!r} is damaged or not a checkpoint (it holds more than tensors and "
            "plain data)"
        ) from error
    except Exception as error:  # torch.load can raise almost anything for damaged bytes
        raise SpecError(
            f"ckpt: {str(file)!r} is damaged or not a checkpoint (was it cut off?)"
        ) from error
    match content:
        case {
            "hydrascope": dict(record),
            "state_dict": dict(state),
            "epoch": int() | None as epoch,
        }:
            if _is_of_older_version(content, record):
                raise SpecError(
                    f"ckpt: {str(file)!r} is from an older version of Hydrascope; train again"
                )
            weights = {
                name.removeprefix(_PREFIX): value
                for name, value in state.items()
                if name.startswith(_PREFIX)
            }
            added = (content.get(name) for name in ("fitted", "calibration", "in_turn"))
            return Checkpoint(record, weights, epoch, *added)
        case _:
            raise SpecError(f"ckpt: {str(file)!r} was not written by Hydrascope's train.py")


def _is_of_older_version(content: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Return whether a checkpoint has what only older versions wrote."""
    match record:
        # From when a network forecast the sensors, with a loss of that weight.
        case {"settings": {"task": {"normality": {"weight": _}}}}:
            return True
    of_network = any(name.startswith(_OLD_PREFIX) for name in content["state_dict"])
    return of_network or "readout" in content


def write_checkpoint(
    path: str | Path,
    record: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    fitted: Mapping[str, Any],
) -> None:
    """Write the checkpoint of a closed-form model; Lightning writes those of networks.

    Args:
        path: The file to write; its folder is created.
        record: The plain data needed to rebuild the diagnoser.
        weights: The state of the diagnoser.
        fitted: Plain data; see `Checkpoint`.
    """
    state = {_PREFIX + name: value for name, value in weights.items()}
    content = {"hydrascope": dict(record), "state_dict": state, "epoch": None}
    save_whole(content | {"fitted": dict(fitted)}, Path(path))


def write_fitted(
    path: str | Path,
    weights: Mapping[str, Tensor],
    calibration: Mapping[str, Any] | None,
    in_turn: ScoresByLevel | None = None,
) -> None:
    """Add to a checkpoint what was fitted after the training, replacing the file atomically.

    Args:
        path: The checkpoint.
        weights: The state of the diagnoser without its calibration; replaces the stored one.
        calibration: The calibration as plain data; None without heads.
        in_turn: `Normality.in_turn`.
    """
    file = Path(path)
    content = torch.load(file, map_location="cpu", weights_only=True)
    content["state_dict"].update({_PREFIX + name: value for name, value in weights.items()})
    columns = {level: list(each) for level, each in (in_turn or {}).items()}
    added = {"calibration": calibration and dict(calibration), "in_turn": columns or None}
    save_whole(content | added, file)
