"""Where configuration files lie: those of the package, and a user's own before them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

CONF = (Path(__file__).parents[1] / "conf").resolve()
"""The package's own; in a clone it is a link to the one at the top."""


def take_own(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Return the folder that `--config-dir` names, if it is given, and the other arguments.

    Hydra knows the option too, but lets a file of ours hide one of the same name in that folder.

    Raises:
        SpecError: It is not a folder.
    """
    own, others, remaining = None, [], iter(arguments)
    for argument in remaining:
        name, sign, value = argument.partition("=")
        if name in ("--config-dir", "-cd"):
            own = existing_folder(value if sign else next(remaining, ""))
        else:
            others.append(argument)
    return own, others


def existing_folder(named: str) -> Path:
    """Return the folder of a user's own configuration files.

    Raises:
        SpecError: It is not there.
    """
    folder = Path(named).expanduser().resolve()
    if not named or not folder.is_dir():
        # Only here: it takes pydantic, which a help does without.
        from hydrascope.schemas.errors import SpecError

        raise SpecError(f"--config-dir: {named!r} is not accepted; expected a folder")
    return folder


def places(conf: Path, own: Path | None) -> list[Path]:
    """Return the folders in the order in which a file is looked for."""
    return [own, conf] if own else [conf]


def options(folders: Sequence[Path]) -> Mapping[str, list[str]]:
    """Return group → its options, both in alphabetical order."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        for file in folder.glob("**/*.yaml"):
            if file.parent != folder:
                found[file.parent.relative_to(folder).as_posix()].add(file.stem)
    return {group: sorted(found[group]) for group in sorted(found)}
