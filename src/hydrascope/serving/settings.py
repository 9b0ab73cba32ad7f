"""Settings of the service: `key=value`, HYDRASCOPE_KEY in the environment, `.env`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from hydrascope.schemas.errors import SpecError
from hydrascope.serving.command_settings import CommandSettings, Count, Seconds

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ServeSettings(CommandSettings):
    """Settings of a service; the command line takes precedence over the environment."""

    model_config = SettingsConfigDict(env_prefix="HYDRASCOPE_")

    bundle: str
    """Folder or archive of a bundle, or models:/NAME@ALIAS of an MLflow registry."""
    registry_uri: str = "sqlite:///mlruns.db"
    """Address of the MLflow registry."""
    follow_s: Seconds | None = 60.0
    """Time between two looks where the alias in `bundle` points; null: only at the start. When it
    has moved, the new version answers from then on, and no request is lost."""
    models: Path | None = None
    """Folder of bundles that may be activated while the service runs."""
    verify_key: Path | None = None
    """Public key (Ed25519, PEM) that every bundle must be signed with."""
    host: str = "127.0.0.1"
    """Address to listen on; other than this machine's only with `keys`."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen on; 0: any free one."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the model computes."""
    threads: Count = 1
    """Threads of torch; one is fastest for windows of tens of sensors."""

    max_batch: Annotated[int, Field(ge=1, le=64)] = 16
    """Windows in a batch."""
    max_wait_ms: Annotated[float, Field(ge=0, le=1000)] = 10.0
    """Longest time that a request waits for others, where `max_batch` come within it."""
    queue: Count = 64
    """Requests that may wait; more are refused with 503."""
    least_right: Annotated[float, Field(ge=0, le=1)] | None = None
    """Probability of being right from which an answer is reliable; null: the bundle's own."""
    deadline_s: Seconds = 5.0
    """Longest time from arrival to answer."""
    breaker_failures: Count = 5
    """Failed batches in a row after which requests are refused."""
    breaker_open_s: Seconds = 60.0
    """Time that they are refused."""
    breaker_probes: Count = 1
    """Requests at a time that are tried after it."""
    drain_s: Seconds = 20.0
    """Time to answer the requests that wait when the service is stopped."""

    keys: Path | None = None
    """File of API keys (python -m hydrascope key); without one every client may do all."""
    rate_per_s: Seconds = 500.0
    """Windows a second and key, in the long run."""
    burst: Count = 1000
    """Windows at once and key."""
    max_body_mb: Seconds = 8.0
    """Size of a request."""
    max_bodies_mb: Seconds = 256.0
    """Size of all requests that are being received at a time; more are refused with 503."""
    body_s: Seconds = 60.0
    """Longest time that the body of a request takes to arrive; then 408."""
    max_depth: Annotated[int, Field(ge=4, le=100)] = 16
    """Nesting of lists and objects in a request."""
    cors_origins: tuple[str, ...] = ()
    """Other origins whose pages may call the service, as in https://plant.example."""

    cache_entries: Annotated[int, Field(ge=0)] = 1024
    """Answers cached in this process; 0: none. Ignored with `redis`."""
    cache_s: Seconds = 300.0
    """Time that answers stay in the cache."""
    redis: str | None = None
    """redis://host:port/number of a cache shared by replicas."""
    database: str | None = None
    """postgresql://user@host:port/name of a TimescaleDB with machines and telemetry."""
    database_password_file: Path | None = None
    """File with its password; without one PGPASSWORD or ~/.pgpass."""
    equipment: Path | None = None
    """Folder of machines and their references, without a database."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is logged."""

    @field_validator("keys")
    @classmethod
    def _exists(cls, keys: Path | None) -> Path | None:
        if keys is not None and not keys.is_file():
            raise ValueError("expected an existing file; python -m hydrascope key makes one")
        return keys


def read_settings(arguments: Sequence[str], command: str = "serve.py") -> ServeSettings:
    """Return the settings of a command line, as in `bundle=bundles/rig port=8000`.

    Args:
        arguments: Of the command line.
        command: Stands at the beginning of an error.

    Raises:
        SpecError: An argument is not key=value, or a setting is not accepted.
    """
    settings = ServeSettings.read(arguments, command)
    if settings.keys is None and settings.host not in _LOOPBACK:
        raise SpecError(
            f"{command}: host: {settings.host!r} lets others in, and there are no keys; set "
            "keys=FILE (python -m hydrascope key makes one), or host=127.0.0.1"
        )
    return settings
