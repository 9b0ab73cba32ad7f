"""What can go wrong with a database, by what one can do about it."""

import ssl

import asyncpg

from hydrascope.schemas.errors import ServiceError


class DatabaseError(ServiceError):
    """The database did not do what was asked; the message says which one, what and why."""


class DatabaseUnavailableError(DatabaseError):
    """It could not be reached, or broke off, for as long as was tried: try again later."""


class DatabaseTimeoutError(DatabaseError):
    """It took longer than it may: ask for less, or allow more time."""


class DatabaseQueryError(DatabaseError):
    """It refuses: a missing table or right, a wrong password or certificate; no retry cures it."""


_CONNECTION_LOST = "08"
"""Class of states."""
_CURABLE_STATES = (
    "53300",  # too_many_connections
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "57P01",  # admin_shutdown, and pg_terminate_backend
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now
)
QUERY_CANCELED = "57014"
"""By statement_timeout, unless somebody cancelled it by hand."""


FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # with TimeoutError
)
"""What the driver raises when a question is not answered."""


def is_curable(error: BaseException) -> bool:
    """Whether the same question may be answered if it is asked again."""
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate)
        return state in _CURABLE_STATES or state.startswith(_CONNECTION_LOST)
    if isinstance(error, asyncpg.InternalClientError):
        return True  # what a connection says that was ended while nobody used it
    if isinstance(error, asyncpg.InterfaceError):
        # Raised about a connection that has ended in the meantime, and about wrong arguments. A
        # connection has one user here: what else it is said to be doing ended with its backend.
        return any(word in str(error) for word in ("closed", "closing", "another operation"))
    if isinstance(error, ssl.SSLError) or "rejected SSL upgrade" in str(error):
        return False  # a certificate that is not trusted, or a server without TLS
    return isinstance(error, OSError) and not isinstance(error, TimeoutError)
