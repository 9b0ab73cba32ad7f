"""Overrides as users write them: a value that Hydra's grammar cannot read is text.

So a path may contain `=`, spaces, umlauts or `~`, and a database address may end in
`?sslmode=require`, without extra quotes for Hydra. A number in place of a group's option is text,
too: Hydra then lists the options instead of failing.
"""

from collections.abc import Collection, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from hydrascope.schemas.errors import SpecError


def readable(arguments: Sequence[str], groups: Collection[str] = ()) -> list[str]:
    """Return the arguments, quoted where Hydra could not read them.

    Args:
        arguments: As on the command line.
        groups: Names of all configuration groups.

    Raises:
        SpecError: An argument has a value, but no key.
    """
    return [_readable(argument, groups) for argument in arguments]


def _readable(argument: str, groups: Collection[str]) -> str:
    key, sign, value = argument.partition("=")
    if not key:
        raise SpecError(f"{argument}: not of the form key=value or group=option")
    if not sign or argument.startswith("-"):
        return argument
    parsed = _parsed(argument)
    if parsed and not (parsed.key_or_group in groups and _is_no_option(parsed.value())):
        return argument
    # Hydra unescapes a backslash only before a quote and at the end.
    text = value.replace("'", "\\'")
    text += "\\" * (len(text) - len(text.rstrip("\\")))
    quoted = f"{key}='{text}'"
    return quoted if _parsed(quoted) else argument


def _is_no_option(value: object) -> bool:
    """Whether Hydra fails at a group's value; it takes texts, keys, and choices of a sweep."""
    if isinstance(value, list):
        return any(map(_is_no_option, value))
    return value is None or isinstance(value, int | float)


def _parsed(override: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(override)
    except HydraException:
        return None
