"""The keys of a configuration file, with what its comments say of them."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

ABOUT_FILE = ("defaults", "_target_", "hydra", "kind")
"""A comment above one of these, at the top of a file, is about the file."""


EVERYWHERE = "# @package _global_"
"""First line of a file that sets keys of other groups."""


class Key(NamedTuple):
    """One key of a file."""

    path: tuple[str, ...]
    """In the whole configuration, the group included."""
    default: str | None
    """The value as written in the file; None for a key that only groups other keys."""
    meaning: str


class ConfFile(NamedTuple):
    """A file of `conf/`."""

    about: str
    """The first comment of the file, which describes the option."""
    begins_with: tuple[str, ...]
    """Other files that it changes, as in `base` or `data=fleet`."""
    keys: tuple[Key, ...]
    sets_others: bool
    """True if the file sets keys of other groups; its comments then say why."""


def read(file: Path, group: str | None = None) -> ConfFile:
    """Read a file of `conf/`, or of a group in it."""
    text = file.read_text("utf-8")
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    lines = text.splitlines()
    top = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    first = root.value[0][0]
    of_file = first.value in ABOUT_FILE or first.start_mark.line > len(top)
    about = [line for line in top if of_file and not line.startswith(EVERYWHERE)]
    if of_file:
        lines[: len(top)] = [""] * len(top)
    sets_others = EVERYWHERE in top
    place = (group,) if group and not sets_others else ()
    found = _keys(root, lines, place)
    keys = (key for key in found if key.path[len(place)] not in ("defaults", "hydra"))
    defaults = yaml.safe_load(text).get("defaults", ())
    begins_with = tuple(filter(None, map(_named, defaults)))
    return ConfFile(_joined(about), begins_with, tuple(keys), sets_others)


def _keys(node: yaml.MappingNode, lines: list[str], path: tuple[str, ...]) -> Iterator[Key]:
    for key, value in node.value:
        line, inner = key.start_mark.line, (*path, key.value)
        above = itertools.takewhile(lambda each: each.lstrip().startswith("#"), lines[:line][::-1])
        behind = lines[line].partition(" # ")[2]
        meaning = _joined([*reversed(list(above)), behind])
        if isinstance(value, yaml.MappingNode) and not value.flow_style and value.value:
            yield Key(inner, None, meaning)
            yield from _keys(value, lines, inner)
        else:
            yield Key(inner, _shown(value, lines), meaning)


def _joined(comments: list[str]) -> str:
    return " ".join(comment.strip().removeprefix("#").strip() for comment in comments).strip()


def _shown(value: yaml.Node, lines: list[str]) -> str:
    """Return a value as it stands in the file, on one line; a long list as three dots."""
    if isinstance(value, yaml.SequenceNode) and not value.flow_style:
        return "[…]"
    start, end = value.start_mark, value.end_mark
    taken = lines[start.line : end.line + 1]
    taken[-1] = taken[-1][: end.column]
    taken[0] = taken[0][start.column :]
    return " ".join(" ".join(taken).split())


def _named(default: object) -> str | None:
    match default:
        case "_self_":
            return None
        case str(option):
            return option
        case dict(choice):
            ((group, option),) = choice.items()
            group = str(group).removeprefix("override ").removeprefix("/")
            return None if group.startswith("hydra/") or option is None else f"{group}={option}"
    raise AssertionError(default)
