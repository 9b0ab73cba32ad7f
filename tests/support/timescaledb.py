"""A TimescaleDB for tests: PostgreSQL and the extension as WebAssembly in Node, all in memory.

It has one database, serves one connection at a time, and has neither TLS nor background workers.
`make` installs it by npm; `pglite/package.json` names the versions.
"""

import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = Path(__file__).parent / "pglite"
_NODE = shutil.which("node")
_READY_S = 120
_STOP_S = 10

MISSING = _NODE is None or not (_FOLDER / "node_modules" / ".package-lock.json").is_file()
"""Whether Node or the packages are not installed."""


@contextmanager
def timescaledb() -> Iterator[str]:
    """Run a server and yield its DSN; it ends with this process at the latest."""
    assert _NODE is not None
    command = [_NODE, str(_FOLDER / "server.mjs")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield f"postgresql://postgres@127.0.0.1:{_port(process)}/postgres?sslmode=disable"
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _port(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _READY_S)
    line = process.stdout.readline() if ready else b""
    if not line:
        raise RuntimeError("TimescaleDB did not start; its messages are above")
    return int(line)
