"""Folders of runs, each of one run alone."""

from functools import cache
from pathlib import Path

from omegaconf import OmegaConf

NEW_FOLDER = "new_folder"
"""Resolver in `conf/`: the folder of a run that begins now."""


def new_folder(wanted: str) -> str:
    """Make the folder `wanted`, or where that is taken `wanted-2`, `wanted-3` …; return which.

    Whoever makes it has it: two runs that begin within the same second have two folders.

    Raises:
        OSError: None can be made.
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
    """Let configurations ask for a new folder; however often one does, a process makes one."""
    OmegaConf.register_new_resolver(NEW_FOLDER, cache(new_folder), replace=True)
