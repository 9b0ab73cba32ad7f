"""Overrides as users write them: a value that Hydra's grammar cannot read is text.

So a path may contain `=`, spaces, umlauts or `~`, and a database address may end in
`?sslmode=require`, without extra quotes for Hydra.
"""

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException


def readable(arguments: Sequence[str]) -> list[str]:
    """Return the arguments, quoted where Hydra could not read them."""
    return [_readable(argument) for argument in arguments]


def _readable(argument: str) -> str:
    key, sign, value = argument.partition("=")
    if not sign or argument.startswith("-") or _parses(argument):
        return argument
    # Hydra unescapes a backslash only before a quote and at the end.
    text = value.replace("'", "\\'")
    text += "\\" * (len(text) - len(text.rstrip("\\")))
    quoted = f"{key}='{text}'"
    return quoted if _parses(quoted) else argument


def _parses(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True
