"""What MLflow refuses is told from a server that is away, by its code; neither stops a run."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import mlflow
import pytest

from hydrascope.tracking.delivery import Delivery
from hydrascope.tracking.destination import Destination


@contextmanager
def answering(code: int) -> Iterator[tuple[str, list[str]]]:
    """Run a server that answers everything with one code; yield its address and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(b"no")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def delivery(uri: str, folder: Path, said: list[str]) -> Delivery:
    destination = Destination(uri, "press", "run", {}, str(folder / "files"), start_ms=1)
    return Delivery(destination, folder, said.append)


@pytest.mark.parametrize(
    ("code", "state", "trouble"),
    [
        (403, "refuses the run", "refuses the run; with tracking.mlflow.uri=sqlite:///mlruns.db"),
        (404, "refuses the run", "refuses the run; with"),
        (503, "is away", "is still away; once it is back: python -m hydrascope tracking send"),
    ],
)
def test_a_refusal_is_told_from_an_outage_by_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, state: str, trouble: str
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    said: list[str] = []
    with answering(code) as (uri, asked):
        telling = delivery(uri, tmp_path, said)
        telling.put({"kind": "open"})
        before = len(asked)
        for step in range(3):
            telling.put({"kind": "metrics", "values": {"a": 1.0}, "step": step, "at_ms": step})
        assert len(asked) == before
    assert len(said) == 1
    assert f"MLflow at {uri} {state} (" in said[0]
    assert trouble in telling.trouble
    (file,) = tmp_path.glob("mlflow_unsent*.jsonl")
    assert len(file.read_text().splitlines()) == 5


def test_a_folder_which_mlflow_no_longer_takes_is_refused(tmp_path: Path) -> None:
    said: list[str] = []
    delivery(f"file:{tmp_path / 'mlruns'}", tmp_path, said).put({"kind": "open"})
    assert "refuses the run" in said[0]


def test_what_is_refused_of_an_open_run_is_left_out_and_the_rest_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    uri = f"sqlite:///{tmp_path / 'mlruns.db'}"
    telling = delivery(uri, tmp_path, said)
    for value in ("1", "2"):  # a parameter may not change
        telling.put({"kind": "params", "values": {"seed": value}})
    telling.put({"kind": "tags", "values": {"behind": "it"}})
    assert len(said) == 1
    assert "refuses 'params'" in said[0]
    assert said[0].endswith("left out")
    run_id = telling.destination.run_id
    assert run_id is not None
    run = mlflow.MlflowClient(uri).get_run(run_id)
    assert (run.data.params["seed"], run.data.tags["behind"]) == ("1", "it")
