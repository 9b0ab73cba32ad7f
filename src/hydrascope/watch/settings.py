"""Settings of a watch: `key=value`, HYDRASCOPE_WATCH_KEY in the environment, `.env`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from hydrascope.serving.command_settings import CommandSettings, Count, Seconds

_POLLS_S = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)


class WatchSettings(CommandSettings):
    """Settings of a worker; the command line takes precedence over the environment."""

    model_config = SettingsConfigDict(env_prefix="HYDRASCOPE_WATCH_")

    bundle: str
    """Folder or archive of a bundle, or models:/NAME@ALIAS of an MLflow registry."""
    database: str
    """postgresql://user@host:port/name of the database with machines and telemetry."""
    database_password_file: Path | None = None
    """File with its password; without one PGPASSWORD or ~/.pgpass."""
    registry_uri: str = "sqlite:///mlruns.db"
    """Address of the MLflow registry."""
    follow_s: Seconds | None = 60.0
    """Time between two looks where the alias in `bundle` points; null: only at the start. When it
    has moved, the worker ends its batches and goes on with the new version."""
    verify_key: Path | None = None
    """Public key (Ed25519, PEM) that the bundle must be signed with."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the model computes."""
    threads: Count = 1
    """Threads of torch; one is fastest for windows of tens of sensors."""

    machines: str = "*"
    """Pattern of the machines to watch, as in press_*; several with commas between them."""
    stride_s: Seconds | None = None
    """From the start of a window to that of the next one; null: the window's length."""
    lateness_s: Annotated[float, Field(ge=0)] | None = None
    """How much later than a machine's newest sample others may come; null: five windows. A window
    of which all samples are there does not wait for it."""
    max_gap_s: Seconds | None = None
    """A longer time without any good sample ends a stretch; windows start anew after it. null: as
    the bundle was trained."""
    catch_up_s: Seconds | None = None
    """How far back from its newest sample a machine is diagnosed when it is first watched; null:
    from its first sample on."""
    least_right: Annotated[float, Field(ge=0, le=1)] | None = None
    """Probability of being right from which an answer is reliable; null: the bundle's own."""
    rules: Path | None = None
    """File of alarm rules and of channels that are notified; null: rules that notify nobody."""

    once: bool = False
    """Diagnose all that is due, and end."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Machines that are visited at a time."""
    batch: Annotated[int, Field(ge=1, le=64)] = 32
    """The most windows of one machine before another one's turn, and in one transaction."""
    batch_samples: Annotated[int, Field(ge=1000)] = 2_000_000
    """The most samples that are read for them."""
    poll_s: int = 5
    """Time between two looks for new telemetry: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 s."""
    stalled_s: Seconds = 30.0
    """Time without a sign of life after which others take a worker's machines over."""
    drain_s: Seconds = 20.0
    """Time to finish the present batches when the worker is stopped."""
    metrics_host: str = "127.0.0.1"
    """Address on which Prometheus finds the metrics."""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """Port of the metrics, 0: any free one; null: none."""
    metrics_machines: Annotated[int, Field(ge=0)] = 100
    """The machines whose lag has a metric of its own: those that lag most."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is logged."""

    @field_validator("poll_s")
    @classmethod
    def _divides_a_minute(cls, poll_s: int) -> int:
        if poll_s not in _POLLS_S:
            raise ValueError(f"expected one of: {', '.join(map(str, _POLLS_S))}")
        return poll_s
