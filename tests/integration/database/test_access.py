"""Who may read, and over what: passwords and TLS."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from databases import at, connected, fill, seconds, sql, telemetry
from tests.support.postgres import postgres
from tls_proxy import certificate, tls_proxy

from hydrascope.telemetry.timescale.database import Database
from hydrascope.telemetry.timescale.errors import DatabaseQueryError
from hydrascope.telemetry.timescale.migrations import upgrade
from hydrascope.telemetry.timescale.settings import database_settings

PASSWORD = "hunter2"
ROWS = 30


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """Where `reader` must say a password, and others need none."""
    with postgres(max_connections="15") as server:
        sql(
            server.dsn(),
            "CREATE DATABASE guarded",
            f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_read_all_data",
            "SELECT 1",
        )
        rules = Path(sql(server.dsn(), "SHOW hba_file")[0][0])
        asked = "host all reader 127.0.0.1/32 scram-sha-256\n"
        rules.write_text(asked + rules.read_text("utf-8"), "utf-8")
        sql(server.dsn(), "SELECT pg_reload_conf()")
        dsn = at(server.dsn(), "guarded")

        async def work() -> None:
            async with Database(database_settings(dsn=dsn)) as database:
                await upgrade(database)

        asyncio.run(work())
        fill(dsn, telemetry(ROWS // 3))
        yield dsn.replace("postgres@", "reader@")


def read(dsn: str, **keys: object) -> pd.DataFrame:
    async def work() -> pd.DataFrame:
        async with connected(dsn, **keys) as connector:
            return await connector.fetch_sensor_data("press", seconds(0, 3))

    return asyncio.run(work())


def test_a_password_comes_from_its_file_or_the_environment_and_is_never_told(
    guarded: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text(f"{PASSWORD}\n", "utf-8")
    wrong.write_text(f"{PASSWORD}3", "utf-8")
    assert len(read(guarded, password_file=right)) == ROWS
    with pytest.raises(
        DatabaseQueryError, match='authentication failed for user "reader"'
    ) as error:
        read(guarded, password_file=wrong)
    assert PASSWORD not in str(error.value)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert len(read(guarded)) == ROWS
    assert PASSWORD not in caplog.text


def test_tls_is_used_as_the_dsn_wants_it(
    guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    crt, key = certificate(tmp_path / "ours")
    stranger, _ = certificate(tmp_path / "stranger")
    port = guarded.rsplit(":", 1)[1].split("/")[0]
    with tls_proxy(int(port), crt, key) as secure:
        dsn = guarded.replace(f":{port}/", f":{secure}/")
        assert len(read(f"{dsn}?sslmode=require")) == ROWS
        assert len(read(f"{dsn}?sslmode=verify-full&sslrootcert={crt}")) == ROWS
        with pytest.raises(DatabaseQueryError, match="CERTIFICATE_VERIFY_FAILED"):
            read(f"{dsn}?sslmode=verify-full&sslrootcert={stranger}")
    with pytest.raises(DatabaseQueryError, match="rejected SSL upgrade"):
        read(f"{guarded}?sslmode=require")
