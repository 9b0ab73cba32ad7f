"""Pages of the configurations: each group of `conf/`, its options, their keys."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from docsite.conf_keys import ConfFile, Key, read
from docsite.tables import code, prose, table

FOLDER = "reference/configurations"
JOBS = ("train", "evaluate", "export")
_ABOUT = """# Configurations

Every choice is a key in `conf/`, and its default stands there. A group is chosen as a whole
(`model=mlp`), a key by its path (`data.fold=2`). [Runs](../../experiments.md) says what groups are
for, [Without a clone](../../package.md) how files of your own come before these. `--help` of a
command prints its keys, `hydrascope config validate` says whether a choice is accepted.
"""
Files = Mapping[str, ConfFile]
Meanings = Mapping[tuple[str, ...], str]


def conf_pages(root: Path) -> dict[str, str]:
    """Return a page for what each command is told, and one for each group."""
    conf = root / "conf"
    jobs = {job: read(conf / f"{job}.yaml") for job in JOBS}
    groups = {
        folder.name: {file.stem: read(file, folder.name) for file in _in_order(folder)}
        for folder in sorted(conf.iterdir())
        if folder.is_dir()
    }
    meanings: dict[tuple[str, ...], str] = {}
    for file in (*jobs.values(), *(file for files in groups.values() for file in files.values())):
        for key in file.keys:
            if key.meaning and not file.sets_others:
                meanings.setdefault(key.path, key.meaning)
    chosen = dict(choice.split("=") for choice in jobs["train"].begins_with)
    return {
        f"{FOLDER}/index.md": _overview(jobs, groups, chosen),
        **{
            f"{FOLDER}/{group}.md": _group(group, files, chosen.get(group), meanings)
            for group, files in groups.items()
        },
    }


def _in_order(folder: Path) -> list[Path]:
    """Return the files of a group, those first that others begin with."""
    files = sorted(folder.glob("*.yaml"))
    return sorted(files, key=lambda file: file.stem not in ("base", "default"))


def _overview(jobs: Files, groups: Mapping[str, Files], chosen: Mapping[str, str]) -> str:
    rows = [
        (
            f"[`{group}`]({group}.md)",
            ", ".join(code(option) for option in files if option != "base"),
            code(chosen[group]) if group in chosen else "none",
        )
        for group, files in groups.items()
    ]
    parts = [_ABOUT, "## Groups", table(("group", "options", "by default"), rows)]
    for job, file in jobs.items():
        parts += [f"## `{job}`", prose(file.about), _table(file.keys, {})]
    return "\n\n".join(parts) + "\n"


def _group(group: str, files: Files, chosen: str | None, meanings: Meanings) -> str:
    default = f"`{group}={chosen}` by default." if chosen else "None of them by default."
    parts = [f"# Group `{group}`", default]
    for option, file in files.items():
        title = f"`{group}={option}`" if option != "base" else "What all share"
        parts += [f"## {title}", prose(file.about)]
        if file.begins_with:
            others = ", ".join(code(other) for other in file.begins_with)
            parts.append(f"Begins with {others}; what differs:")
        parts += [_table(file.keys, meanings), f"[The file](../../../conf/{group}/{option}.yaml)"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(keys: Sequence[Key], meanings: Meanings) -> str:
    """Return a table of keys; what a file says of one stands behind what it means anywhere."""
    rows = [
        (
            code(".".join(key.path)),
            "" if key.default is None else code(key.default),
            prose(" ".join(dict.fromkeys((meanings.get(key.path, ""), key.meaning))).strip()),
        )
        for key in keys
        if key.default is not None or key.meaning
    ]
    return table(("key", "default", "meaning"), rows) if rows else ""
