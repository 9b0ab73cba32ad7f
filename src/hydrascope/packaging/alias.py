"""The alias of a registered model: moved with a reason, and moved back."""

from datetime import UTC, datetime
from typing import NamedTuple

from hydrascope.packaging.registry import RegisteredName, asked, is_registered
from hydrascope.schemas.errors import SpecError

REPLACED = "hydrascope.replaced"
"""The tag of a version with the version from which the alias moved to it."""
REASON = "hydrascope.reason"
"""The tag of a version that says why the alias moved to it."""
MOVED_ON = "hydrascope.moved_on"
"""The tag with the time at which it did."""
ROLLED_BACK_ON = "hydrascope.rolled_back_on"
"""The tag with the time at which the alias moved back from it."""


class Move(NamedTuple):
    """A move of an alias."""

    before: int
    """The version that it pointed to."""
    after: int


def read_alias(model: str) -> tuple[str, str]:
    """Return name and alias of models:/NAME@ALIAS.

    Raises:
        SpecError: It is something else, such as the folder of a bundle.
    """
    named = RegisteredName.read(model, "model") if is_registered(model) else None
    if named is None or named.alias is None:
        raise SpecError(
            f"{model!r} is not accepted; expected models:/NAME@ALIAS, since only an alias can move "
            "to another version; export.py with registry=mlflow name=NAME alias=ALIAS gives a "
            "model one",
            path="model",
        )
    return named.name, named.alias


def move_alias(model: str, uri: str, move: Move, reason: str) -> None:
    """Move an alias to another version, which is told why and from where.

    Args:
        model: models:/NAME@ALIAS.
        uri: Of the registry.
        move: From where to where.
        reason: For people; the version's description too.

    Raises:
        SpecError: The alias does not point to `move.before` any more, or there is none.
    """
    name, alias = read_alias(model)
    with asked(model, uri) as (client, version):
        if (now := int(version.version)) != move.before:
            raise SpecError(
                f"{model} points to version {now} by now; expected {move.before}, which was judged"
            )
        after = str(move.after)
        tags = {REPLACED: str(move.before), REASON: reason, MOVED_ON: _now()}
        for key, value in tags.items():
            client.set_model_version_tag(name, after, key, value)
        client.update_model_version(name, after, reason)
        client.set_registered_model_alias(name, alias, after)


def roll_back(model: str, uri: str) -> Move:
    """Move an alias back to the version from which it came.

    Raises:
        SpecError: There is no such model, or its version replaced none.
    """
    name, alias = read_alias(model)
    with asked(model, uri) as (client, version):
        now, replaced = version.version, version.tags.get(REPLACED)
        if replaced is None:
            raise SpecError(
                f"version {now} of {model} replaced none; expected one to which `hydrascope "
                "retrain` moved the alias"
            )
        client.set_registered_model_alias(name, alias, replaced)
        client.set_model_version_tag(name, now, ROLLED_BACK_ON, _now())
    return Move(int(now), int(replaced))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
