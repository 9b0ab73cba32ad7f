"""Shell completion of a command's overrides: the groups, then a group's options."""

import typer

from hydrascope.experiment.config_files import CONF, options


def complete_override(context: typer.Context, incomplete: str) -> list[str]:
    """Return the possible completions of an override.

    Args:
        context: Holds the words before it. bash splits words at `=`: `model=ga` arrives as three.
        incomplete: What has been typed so far.
    """
    groups = options([CONF])
    group, sign, prefix = incomplete.partition("=")
    if sign:
        return [f"{group}={each}" for each in groups.get(group, []) if each.startswith(prefix)]
    words: list[str] = context.params.get("overrides") or []
    *_, before, last = ["", "", *words]
    group = before if last == "=" else last
    if group in groups:
        return [each for each in groups[group] if each.startswith(incomplete)]
    return [f"{each}=" for each in groups if each.startswith(incomplete)]
