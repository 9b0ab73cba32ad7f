"""What a shell offers for the overrides of a command: groups, then a group's options."""

import typer

from hydrascope.experiment.config_files import CONF, options


def complete_override(context: typer.Context, incomplete: str) -> list[str]:
    """Return what an override may go on with.

    Args:
        context: Knows the words before it. bash cuts a word at `=`, so `model=ga` is three.
        incomplete: What has been typed of it.
    """
    groups = options([CONF])
    group, sign, begun = incomplete.partition("=")
    if sign:
        return [f"{group}={each}" for each in groups.get(group, []) if each.startswith(begun)]
    words: list[str] = context.params.get("overrides") or []
    *_, before, last = ["", "", *words]
    group = before if last == "=" else last
    if group in groups:
        return [each for each in groups[group] if each.startswith(incomplete)]
    return [f"{each}=" for each in groups if each.startswith(incomplete)]
