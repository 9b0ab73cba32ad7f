"""Run folders: one for each run, which no other run writes into."""

from functools import cache
from pathlib import Path

from omegaconf import OmegaConf

from hydrascope.schemas.errors import SpecError

NEW_FOLDER = "new_folder"
"""The resolver in `conf/` for the folder of a run that begins now."""
CHECKPOINTS = "checkpoints"
"""The folder in a run's folder for its checkpoints. Whoever creates it owns the run's folder."""
_SWEEP_RECORD = "multirun.yaml"
"""The file that Hydra writes before the first trial of a sweep is composed."""

_created: list[Path] = []
"""The folders that this process has created for runs, outermost first."""


def new_folder(wanted: str) -> str:
    """Create the folder `wanted`, or if that exists `wanted-2`, `wanted-3` …; return its path.

    Creating the folder claims it, so two runs that begin in the same second have two folders.

    Raises:
        OSError: No folder can be created.
    """
    folder, number = wanted, 1
    while not _create(Path(folder)):
        number += 1
        folder = f"{wanted}-{number}"
    return folder


def register_new_folder() -> None:
    """Register the resolver `NEW_FOLDER`; a process creates each wanted folder only once."""
    OmegaConf.register_new_resolver(NEW_FOLDER, cache(new_folder), replace=True)


def claim(run_dir: str, resume: str | None) -> None:
    """Claim the folder of a training, unless it resumes the run that is in it.

    Raises:
        SpecError: The folder is that of another run.
        OSError: No folder can be created.
    """
    checkpoints = Path(run_dir).absolute() / CHECKPOINTS
    if resume and Path(resume).absolute().parent == checkpoints:
        return
    if not _create(checkpoints):
        last = next(iter(checkpoints.glob("last.ckpt")), None)
        continued = f", or resume={last} to continue that run" if last else ""
        raise SpecError(
            f"run_dir: {run_dir!r} is the folder of another run; expected a new folder{continued}"
        )


def remove_unused() -> None:
    """Remove the folders that this process created and nothing was written into."""
    while _created:
        folder = _created.pop()
        record = folder / _SWEEP_RECORD
        if [path for path in folder.rglob("*") if not path.is_dir()] == [record]:
            record.unlink()
        for each in (*sorted(folder.rglob("*"), reverse=True), folder):
            try:
                each.rmdir()
            except OSError:  # it holds something, or is a file
                continue


def _create(folder: Path) -> bool:
    """Create a folder and its parents; return whether it did not exist."""
    missing = [each for each in reversed(folder.parents) if not each.exists()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    _created.extend([*missing, folder])
    return True
