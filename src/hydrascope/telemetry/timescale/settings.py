"""Validated settings of databases and tables."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, model_validator

from hydrascope.schemas import SpecError, validate
from hydrascope.schemas.base import CheckedModel, Positive, Text, TimeZone


class DatabaseSettings(CheckedModel):
    """Address, connection pool and timeouts of a database."""

    dsn: str = Field(pattern=r"^postgres(ql)?://")
    """Connection URI of libpq, without a password: `postgresql://user@host:5432/name?sslmode=…`."""
    password_file: Path | None = None
    """File with the password; None: as in libpq (PGPASSWORD, PGPASSFILE, ~/.pgpass)."""
    pool_min: int = Field(default=2, ge=0)
    pool_max: int = Field(default=10, ge=1)
    timeout_s: Positive = 30.0
    """Longest time of one request, including the wait for a connection."""
    retry_for_s: float = Field(default=60.0, ge=0)
    """How long a request is retried after a lost connection; 0: no retry."""
    health_s: Positive = 30.0
    """Time between two health checks."""

    @model_validator(mode="after")
    def _pool_in_order(self) -> "DatabaseSettings":
        if self.pool_min > self.pool_max:
            raise ValueError(f"pool_min is {self.pool_min}; expected at most {self.pool_max}")
        return self

    def password(self) -> str | None:
        """Return the password from the password file, or None without one.

        Raises:
            SpecError: The file cannot be read.
        """
        if self.password_file is None:
            return None
        try:
            return self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise SpecError(
                f"{self.password_file}: {error.strerror}", path="password_file"
            ) from None

    @property
    def place(self) -> str:
        """Host and database, for messages."""
        parts = urlsplit(self.dsn)
        return f"{parts.hostname or 'local'}:{parts.port or 5432}{parts.path}"


class WideTableSettings(CheckedModel):
    """An existing table with one row per instant and one column per sensor; it is only read."""

    name: Text
    """Table or view, optionally with its schema: `public.sensor_data`."""
    time: Text = "timestamp"
    equipment: Text = "equipment_id"
    columns: dict[str, Text] = Field(default_factory=dict)
    """Columns by sensor id, if their name is not the sensor id."""
    time_zone: TimeZone | None = None
    """IANA zone of a time column of the type `timestamp` (without time zone)."""


def database_settings(**keys: object) -> DatabaseSettings:
    """Return validated settings.

    Raises:
        SpecError: A key is invalid, or the DSN contains a password, which would end up in logs,
            shell histories and tracked configurations.
    """
    refuse_password(keys.get("dsn"))
    return validate(DatabaseSettings, keys, source="database")


def refuse_password(dsn: object) -> None:
    """Refuse a DSN that contains a password, without repeating it.

    Raises:
        SpecError: The DSN contains a password.
    """
    if isinstance(dsn, str):
        parts = urlsplit(dsn)
        if ":" in parts.netloc.rpartition("@")[0] or "password" in parse_qs(parts.query):
            raise SpecError(
                "contains a password, which would be logged; put it into PGPASSWORD, ~/.pgpass "
                "or a file named by password_file",
                path="dsn",
            )
