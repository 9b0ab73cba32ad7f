"""A bundle that answers fast, and a server for all tests here."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from jobs import export_settings
from tests.support.postgres import Server, postgres
from tests.support.watch_workers import new_database
from tests.support.watched_service import Watched, watched_service

from hydrascope.experiment import export

_numbers = count()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let one worker of the test run have these tests: they share a bundle and a server."""
    item.add_marker(pytest.mark.xdist_group("watch"))


@pytest.fixture(scope="session")
def light_bundle(light: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "light"
    export.run(export_settings(light, folder))
    return folder


@pytest.fixture(scope="session")
def watch_server(forks: None) -> Iterator[Server]:
    with postgres(max_connections="60") as running:
        yield running


@pytest.fixture
def dsn(watch_server: Server) -> str:
    """A database with the present schema."""
    return new_database(watch_server.dsn(), f"watched_{next(_numbers)}")


@pytest.fixture(scope="session")
def watched(
    watch_server: Server, light_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """A watch that has caught up; those who change alarms leave open what was open."""
    dsn = new_database(watch_server.dsn(), "served")
    with watched_service(dsn, light_bundle, tmp_path_factory.mktemp("served")) as running:
        yield running
