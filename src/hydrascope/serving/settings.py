"""Settings of the service: `key=value`, HYDRASCOPE_KEY in the environment, `.env`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from hydrascope.schemas.errors import SpecError, explain
from hydrascope.schemas.text import not_utf8

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


_OTHERS = ("hydrascope_dsn", "hydrascope_traceback")
"""Variables of other commands, which `.env` may hold too."""


class _EnvFile(DotEnvSettingsSource):
    """Leaves out what is not meant for the service; a misspelt key of ours stays and is refused."""

    def __call__(self) -> dict[str, Any]:
        return {
            key: value
            for key, value in super().__call__().items()
            if key in self.settings_cls.model_fields
            or (key.startswith(self.env_prefix.lower()) and key not in _OTHERS)
        }


class ServeSettings(BaseSettings):
    """Settings of a service; the command line takes precedence over the environment."""

    model_config = SettingsConfigDict(
        env_prefix="HYDRASCOPE_",
        env_file=".env",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    bundle: str
    """Folder or archive of a bundle, or models:/NAME@ALIAS of an MLflow registry."""
    registry_uri: str = "sqlite:///mlruns.db"
    """Address of the MLflow registry."""
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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic passes both by name)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from: the command line, the environment, `.env`."""
        return init_settings, env_settings, _EnvFile(settings_cls)

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
    given: dict[str, str | None] = {}
    for argument in arguments:
        key, sign, value = argument.partition("=")
        if not sign:
            raise SpecError(f"{command}: {argument}: not of the form key=value")
        given[key] = None if value == "null" else value
    try:
        settings = ServeSettings(**given)  # type: ignore[arg-type]  # pydantic reads text
    except ValidationError as error:
        raise SpecError(*explain(error, ServeSettings), source=command) from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{command}: .env: {not_utf8(error.object)}") from None
    if settings.keys is None and settings.host not in _LOOPBACK:
        raise SpecError(
            f"{command}: host: {settings.host!r} lets others in, and there are no keys; set "
            "keys=FILE (python -m hydrascope key makes one), or host=127.0.0.1"
        )
    return settings


def settings_help(command: str) -> str:
    """Return the text of `--help`: every setting with its default and its meaning."""
    lines = [
        f"Answer over HTTP:  {command} bundle=PATH [key=value] …",
        "",
        "HYDRASCOPE_KEY=value in the environment or in .env sets a key, too.",
        "",
    ]
    for name, field in ServeSettings.model_fields.items():
        default = "…" if field.is_required() else field.default
        lines.append(f"{name}={default if isinstance(default, str) else json.dumps(default)}")
        lines.append(f"    {' '.join((field.description or '').split())}")
    return "\n".join(lines)
