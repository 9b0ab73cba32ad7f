"""Delivery of messages about alarms by Apprise: tried again, and given up in the end.

A message is delivered at least once: a worker that dies between the delivery and its record sends
it again.
"""

import asyncio
import io
import logging
from operator import methodcaller
from typing import Any, NamedTuple

import apprise

from hydrascope.monitoring.rules import RuleFile
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.timescale.database import Database

TRIES = 8
"""After these a message is given up; with the pauses below that is about four hours."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 30, 3600
_LEASE_S = 120
"""Time in which the worker that took a message must have delivered it."""

_TAKE = """
UPDATE hydrascope.notifications
SET tries = tries + 1, next_try_on = now() + make_interval(secs => $2)
WHERE notification_key IN (
    SELECT notification_key FROM hydrascope.notifications
    WHERE state = 'waiting' AND next_try_on <= now() ORDER BY next_try_on LIMIT $1
    FOR UPDATE SKIP LOCKED
)
RETURNING notification_key, channel, title, body, tries
"""
_SENT = """
UPDATE hydrascope.notifications SET state = 'sent', sent_on = now(), error = ''
WHERE notification_key = $1
"""
_FAILED = """
UPDATE hydrascope.notifications
SET state = $2, error = $3, next_try_on = now() + make_interval(secs => $4)
WHERE notification_key = $1
"""

_log = logging.getLogger(__name__)


class Delivered(NamedTuple):
    """What came of a round of deliveries."""

    sent: int
    failed: int
    """Failed, to be tried again."""
    given_up: int


async def deliver(database: Database, rules: RuleFile, limit: int = 20) -> Delivered:
    """Deliver the messages whose time has come.

    Args:
        database: Holds the messages.
        rules: Say what address a channel has.
        limit: The most messages.
    """
    taken = await database.transaction(methodcaller("fetch", _TAKE, limit, _LEASE_S))
    sent = failed = given_up = 0
    for key, channel, *message, tries in taken:
        error = await send(rules.channels.get(channel), channel, *message)
        if not error:
            sent += 1
            await database.run(methodcaller("execute", _SENT, key))
            continue
        last = tries >= TRIES
        given_up, failed = given_up + last, failed + (not last)
        _log.warning("%s: %s%s", channel, error, "; given up" if last else "; trying again")
        pause_s = min(_FIRST_PAUSE_S * 2 ** (tries - 1), _LONGEST_PAUSE_S)
        row = key, "given_up" if last else "waiting", error, pause_s
        await database.run(methodcaller("execute", _FAILED, *row))
    return Delivered(sent, failed, given_up)


def check_channels(rules: RuleFile) -> None:
    """Check that messages can be addressed, before there is one.

    Raises:
        SpecError: Apprise does not know the address of a channel. It may hold a password, so that
            the message does not repeat it.
    """
    for name, address in rules.channels.items():
        if not apprise.Apprise().add(address):
            raise SpecError(
                "Apprise does not know such an address; expected one as in json://host/path, with "
                "%40 for an @ in a name or password (percent-encoding)",
                path=f"channels.{name}",
            )


async def send(address: str | None, channel: str, title: str, body: str) -> str:
    """Send a message; return why it failed, or an empty text.

    Args:
        address: Of the channel, as Apprise reads it; None: the rules have no such channel.
        channel: Its name.
        title: The first line.
        body: Plain text, in which nothing is markup.
    """
    if address is None:
        return f"the file of rules has no channel {channel!r} any more"
    receiver = apprise.Apprise()
    if not receiver.add(address):
        return f"channels.{channel}: Apprise does not know such an address"
    capture: Any = apprise.LogCapture  # the library annotates no types here
    with capture(level=logging.WARNING, fmt="%(message)s") as said:
        assert isinstance(said, io.StringIO)
        try:
            async with asyncio.timeout(_LEASE_S / 2):
                # Without a format, Apprise puts the text into the HTML of a mail as it is.
                text = apprise.NotifyFormat.TEXT
                done = await receiver.async_notify(body=body, title=title, body_format=text)
        except TimeoutError:
            return f"no answer within {_LEASE_S / 2:g} s"
        reason = " ".join(said.getvalue().split())
    return "" if done else reason or "not delivered"
