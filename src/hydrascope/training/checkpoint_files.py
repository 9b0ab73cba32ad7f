"""The files of Lightning's checkpoints: atomic writing, and which of them are kept."""

import shutil
import sys
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.whole_file import whole_file


def save_whole(content: object, file: Path) -> None:
    """Save `content` with `torch.save`, completely or not at all; equal content as equal bytes.

    Raises:
        OSError: The file cannot be written; the message names it.
    """
    buffer = BytesIO()  # so that a full disk raises an OSError, unlike with torch
    torch.save(_canonical(content), buffer)
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as part:
        part.write_bytes(buffer.getvalue())


def _canonical(content: Any) -> Any:
    """Return equal content in which equal texts are one object and no container is shared.

    A pickle refers to an object that it has seen before. What a training has read from a
    checkpoint shares other objects than what it has made itself.
    """
    if type(content) is str:
        return sys.intern(content)
    if type(content) in (list, tuple):
        return type(content)(map(_canonical, content))
    if type(content) in (dict, OrderedDict):
        pairs = ((_canonical(key), _canonical(value)) for key, value in content.items())
        copied = type(content)(pairs)
        if isinstance(copied, OrderedDict):  # that of a module has versions as an attribute
            vars(copied).update(_canonical(vars(content)))
        return copied
    return content


def copy_whole(file: Path, folder: Path) -> None:
    """Copy a file into a folder, which is created, completely or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / file.name) as part:
        shutil.copyfile(file, part)


class WholeCheckpoints(TorchCheckpointIO):
    """Writes complete checkpoints only; Lightning leaves a partial file if the disk is full."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any | None = None,  # noqa: ARG002 (Lightning passes it)
    ) -> None:
        """Write a checkpoint."""
        save_whole(checkpoint, Path(path))


class KeptCheckpoint(ModelCheckpoint):
    """Stores file names instead of paths, so that a run can be resumed in another folder.

    Lightning stores absolute paths, and loses the best checkpoint if the folder changes.

    Args:
        folder: The folder for the run's checkpoints.
        before: The folder of the checkpoint to resume from; None for a new run.
        options: The options of `ModelCheckpoint`.
    """

    def __init__(self, folder: Path, *, before: Path | None, **options: Any) -> None:
        super().__init__(folder, enable_version_counter=False, **options)
        self._before = before

    def state_dict(self) -> dict[str, Any]:
        """Return the state to resume from, with file names instead of paths."""
        return _renamed(super().state_dict(), lambda path: path.name) | {"dirpath": None}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume with files of these names in this run's folder.

        Raises:
            SpecError: The best checkpoint of the earlier run is not beside the one to resume from.
        """
        assert self.dirpath is not None
        folder = Path(self.dirpath)
        found = _renamed(state_dict, lambda path: str(folder / path.name))
        best = Path(found["best_model_path"]).name
        if self.monitor and self._before and best and not (self._before / best).is_file():
            raise SpecError(
                f"resume: {self._before / best} is missing, the best checkpoint of the former run; "
                "expected beside the one to resume from"
            )
        super().load_state_dict(found | {"dirpath": self.dirpath})
        self.current_score = found["current_score"]  # which Lightning leaves out


def _renamed(state: dict[str, Any], name: Callable[[Path], str]) -> dict[str, Any]:
    paths = ("best_model_path", "kth_best_model_path", "last_model_path")
    named = {key: name(Path(state[key])) if state[key] else "" for key in paths}
    best = {name(Path(path)): score for path, score in state["best_k_models"].items()}
    return state | named | {"best_k_models": best}
