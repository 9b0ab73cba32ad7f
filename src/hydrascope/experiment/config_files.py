"""The places of configuration files: the user's own folder first, then the package."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

CONF = (Path(__file__).parents[1] / "conf").resolve()
"""The package's folder; in a clone it is a link to `conf` at the top."""


def take_own(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Return the folder that `--config-dir` names, if any, and the other arguments.

    Hydra has this option too, but there our files hide the user's files of the same name.

    Raises:
        SpecError: The option does not name a folder.
    """
    own, others, remaining = None, [], iter(arguments)
    for argument in remaining:
        name, sign, value = argument.partition("=")
        if name in ("--config-dir", "-cd"):
            own = existing_folder(value if sign else next(remaining, ""), "--config-dir")
        else:
            others.append(argument)
    return own, others


def existing_folder(named: str, option: str) -> Path:
    """Return the folder of a user's own configuration files.

    Args:
        named: The folder's path.
        option: The option or argument that names it, for the message.

    Raises:
        SpecError: The folder does not exist.
    """
    folder = Path(named).expanduser().resolve()
    if not named or not folder.is_dir():
        # Imported only here: it imports pydantic, which `--help` does not need.
        from hydrascope.schemas.errors import SpecError

        raise SpecError(f"{option}: {named!r} is not accepted; expected a folder")
    return folder


def places(conf: Path, own: Path | None) -> list[Path]:
    """Return the folders in search order."""
    return [own, conf] if own else [conf]


def options(folders: Sequence[Path]) -> Mapping[str, list[str]]:
    """Return each group with its options, both in alphabetical order."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        for file in folder.glob("**/*.yaml"):
            if file.parent != folder:
                found[file.parent.relative_to(folder).as_posix()].add(file.stem)
    return {group: sorted(found[group]) for group in sorted(found)}
