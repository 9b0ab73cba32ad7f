"""Services as processes of their own, and requests to them."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import socket

ROOT = Path(__file__).parents[2]
LOOSE = ("cache_entries=0", "rate_per_s=1000000", "burst=1000000", "log_level=warning")
"""Each answer is computed, and no client is held back by its rate limit."""


class Served:
    """A running service.

    Attributes:
        process: Its process; others belong to it.
        port: Where it listens.
        ready_s: From its start to its first `ready`.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, ready_s: float) -> None:
        self.process, self.port, self.ready_s = process, port, ready_s

    @property
    def resident_mb(self) -> float:
        """What its processes have in memory (Linux)."""
        statm = (path.joinpath("statm").read_text(encoding="ascii") for path in self.processes())
        return sum(int(each.split()[1]) for each in statm) * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def processor_s(self) -> float:
        """Processor time that its processes have taken so far (Linux)."""
        stats = (path.joinpath("stat").read_text(encoding="ascii") for path in self.processes())
        times = (map(int, each.rpartition(")")[2].split()[11:13]) for each in stats)
        return sum(map(sum, times)) / os.sysconf("SC_CLK_TCK")

    def processes(self) -> Iterator[Path]:
        """Yield the folders in /proc of its process and of those that it started."""
        own = Path(f"/proc/{self.process.pid}")
        yield own
        for children in own.glob("task/*/children"):  # each thread has those that it started
            for each in children.read_text(encoding="ascii").split():
                yield Path("/proc") / each


@contextmanager
def service(bundle: Path, *more: str, log: Path | None = None) -> Iterator[Served]:
    """Run serve.py on a free port until it is ready; stop it at the end; its log goes to `log`."""
    port = free_port()
    command = [sys.executable, str(ROOT / "serve.py"), f"bundle={bundle}", f"port={port}", *LOOSE]
    with running([*command, *more], port, "/readyz", log) as (process, ready_s):
        yield Served(process, port, ready_s)


@contextmanager
def running(
    command: Sequence[str], port: int, ready: str, log: Path | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Run a server until `ready` answers on its port; yield its process and the seconds it took."""
    started = time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with Path(log or os.devnull).open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=errors if log else None,
            start_new_session=True,
        )
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=1):
                    break
            except OSError:
                if process.poll() is not None or time.perf_counter() - started > 180:
                    raise RuntimeError(f"{command[1]} did not start") from None
                time.sleep(0.05)
        yield process, time.perf_counter() - started
    finally:
        # The whole group: LitServe has worker processes.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
