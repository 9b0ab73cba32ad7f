"""Database errors, classified by their remedy."""

import ssl

import asyncpg

from hydrascope.schemas.errors import ServiceError


class DatabaseError(ServiceError):
    """A request to the database failed; the message names the database and the reason."""


class DatabaseUnavailableError(DatabaseError):
    """The database could not be reached or disconnected during all retries: try again later."""


class DatabaseTimeoutError(DatabaseError):
    """The request timed out: ask for less, or allow more time."""


class DatabaseQueryError(DatabaseError):
    """The database refused: missing table or right, wrong password or certificate. Do not retry."""


_CONNECTION_LOST = "08"
"""The class of SQL states for lost connections."""
_CURABLE_STATES = (
    "53300",  # too_many_connections
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "57P01",  # admin_shutdown, and pg_terminate_backend
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now
)
QUERY_CANCELED = "57014"
"""The SQL state after statement_timeout or a manual cancellation."""


FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # with TimeoutError
)
"""The exceptions that the driver raises if a request fails."""


def is_curable(error: BaseException) -> bool:
    """Return whether a retry may succeed."""
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate)
        return state in _CURABLE_STATES or state.startswith(_CONNECTION_LOST)
    if isinstance(error, asyncpg.InternalClientError):
        return True  # raised by a connection that ended while idle
    if isinstance(error, asyncpg.InterfaceError):
        # Raised for a connection that has ended, and for wrong arguments. As each connection has
        # one user here, "another operation" means one that ended with its backend.
        return any(word in str(error) for word in ("closed", "closing", "another operation"))
    if isinstance(error, ssl.SSLError) or "rejected SSL upgrade" in str(error):
        return False  # untrusted certificate, or a server without TLS
    return isinstance(error, OSError) and not isinstance(error, TimeoutError)
