"""Creating run folders, one for each run."""

from functools import cache
from pathlib import Path

from omegaconf import OmegaConf

NEW_FOLDER = "new_folder"
"""The resolver in `conf/` for the folder of a run that begins now."""


def new_folder(wanted: str) -> str:
    """Create the folder `wanted`, or if that exists `wanted-2`, `wanted-3` …; return its path.

    Creating the folder claims it, so two runs that begin in the same second have two folders.

    Raises:
        OSError: No folder can be created.
    """
    Path(wanted).parent.mkdir(parents=True, exist_ok=True)
    folder, number = wanted, 1
    while True:
        try:
            Path(folder).mkdir()
        except FileExistsError:
            number += 1
            folder = f"{wanted}-{number}"
        else:
            return folder


def register_new_folder() -> None:
    """Register the resolver `NEW_FOLDER`; a process creates each wanted folder only once."""
    OmegaConf.register_new_resolver(NEW_FOLDER, cache(new_folder), replace=True)
