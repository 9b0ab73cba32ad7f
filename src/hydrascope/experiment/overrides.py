"""Overrides as people write them: what Hydra's grammar does not read as a value is text.

So a path may hold `=`, spaces, umlauts or `~`, and a database's address may end in
`?sslmode=require`, without quotes for Hydra beside those for the shell.
"""

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException


def readable(arguments: Sequence[str]) -> list[str]:
    """Return a command line in which Hydra reads every override."""
    return [_readable(argument) for argument in arguments]


def _readable(argument: str) -> str:
    key, sign, value = argument.partition("=")
    if not sign or argument.startswith("-") or _parses(argument):
        return argument
    # Hydra undoes a backslash only before a quote and at the end.
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
