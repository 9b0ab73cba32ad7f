"""What MLflow is told of a run, also when its server goes away, and what it gives back."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from jobs import QUICK, Train, composed
from lightning import Callback, LightningModule, Trainer
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.experiment import evaluate, fitting, training_job
from hydrascope.experiment.job_settings import validate_evaluate
from hydrascope.schemas.errors import SpecError
from hydrascope.tracking import delivery
from hydrascope.tracking.loggers import runs_ended_with, wandb_logger
from hydrascope.tracking.nested import NestedRuns

TRACKED = (*QUICK, "tracking=mlflow")
EPOCHS = 4


class Server:
    """A real `mlflow server`, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.uri, self._folder, self._port = f"http://127.0.0.1:{port}", folder, port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--port", str(self._port)),
            *("--backend-store-uri", f"sqlite:///{self._folder / 'server.db'}"),
            *("--artifacts-destination", str(self._folder / "files"), "--workers", "1"),
        ]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            )
        end = time.monotonic() + 120
        while not self._answers():
            assert time.monotonic() < end, (self._folder / "server.log").read_text()
            time.sleep(0.3)

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


class At(Callback):
    """Does something when an epoch begins."""

    def __init__(self, does: dict[int, object]) -> None:
        self.does = does

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        action = self.does.get(trainer.current_epoch)
        if callable(action):
            action()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that has not been started."""
    made = Server(tmp_path)
    yield made
    made.kill()


def during(monkeypatch: pytest.MonkeyPatch, does: dict[int, object]) -> None:
    """Have the next trainings do something when an epoch begins."""
    begin = fitting.Trainer

    def trainer(*args: object, callbacks: list[Callback], **options: object) -> Trainer:
        return begin(*args, callbacks=[*callbacks, At(does)], **options)

    monkeypatch.setattr(fitting, "Trainer", trainer)


def evaluated(ckpt: str, run_dir: Path) -> dict[str, object]:
    plain = composed(f"ckpt={ckpt}", f"run_dir={run_dir}", "missing_sensors=false", job="evaluate")
    evaluate.run(validate_evaluate(plain))
    return json.loads((run_dir / "evaluation.json").read_text())["test"]


def losses(client: mlflow.MlflowClient, run_id: str) -> list[int]:
    history = client.get_metric_history(run_id, "train/loss")
    return sorted(point.step for point in history)


@pytest.mark.slow
def test_a_training_outlives_its_server_and_tells_it_everything_when_it_is_back(
    server: Server,
    run_training: Train,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.start()
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.0)
    during(monkeypatch, {1: server.kill, 3: server.start})
    run_dir = run_training(
        *TRACKED, f"tracking.mlflow.uri={server.uri}", f"trainer.max_epochs={EPOCHS}"
    )
    said = capsys.readouterr().out
    assert said.count("is away") == 1
    assert said.count("has been told what was kept") == 1
    assert not list(run_dir.glob("mlflow_unsent*"))
    client = mlflow.MlflowClient(server.uri)
    (run,) = client.search_runs([client.get_experiment_by_name("hydrascope").experiment_id])
    assert run.info.status == "FINISHED"
    assert len(losses(client, run.info.run_id)) == EPOCHS
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files == {"provenance", "results.json", "checkpoints"}
    made_of = {file.path for file in client.list_artifacts(run.info.run_id, "provenance")}
    assert {"provenance/config.yaml", "provenance/environment.txt"} <= made_of
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    results = json.loads((run_dir / "results.json").read_text())["test"]["gatv2_arma"]
    assert evaluated(f"mlflow:{run.info.run_id}", tmp_path / "evaluated") == results


def test_what_a_lost_server_was_not_told_is_sent_by_a_command(
    server: Server,
    run_training: Train,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_dir = run_training(*TRACKED, f"tracking.mlflow.uri={server.uri}", "trainer.max_epochs=2")
    said = capsys.readouterr().out
    assert f"python -m hydrascope tracking send {run_dir}" in said
    assert list(run_dir.glob("mlflow_unsent*.jsonl"))
    command = ["tracking", "send", str(run_dir)]
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, SpecError)
    assert "is still away" in str(refused.exception)
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.0)
    sweep = NestedRuns(server.uri, "sweeps", "grid", tmp_path, lambda _line: None)
    assert sweep.parent is None
    server.start()
    above = mlflow.MlflowClient(server.uri).get_run(str(sweep.parent))
    assert above.info.run_name == "grid"  # trials from now on are below it
    sent = CliRunner().invoke(app, command)
    assert sent.exit_code == 0, sent.output
    assert not list(run_dir.glob("mlflow_unsent*"))
    client = mlflow.MlflowClient(server.uri)
    (run,) = client.search_runs([client.get_experiment_by_name("hydrascope").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["trainer.max_epochs"] == "2"
    assert len(run.data.params["fingerprint.data"]) == len(run.data.params["fingerprint.split"])
    assert len(losses(client, run.info.run_id)) == 2
    again = CliRunner().invoke(app, command)
    assert "holds nothing that MLflow has not been told" in str(again.exception)


def test_a_run_whose_test_fails_is_failed_in_mlflow(
    run_training: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object, **_keys: object) -> None:
        raise RuntimeError("the baselines cannot be fitted")

    monkeypatch.setattr(training_job, "test", broken)
    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    with pytest.raises(RuntimeError, match="cannot be fitted"):
        run_training(*TRACKED, f"tracking.mlflow.uri={uri}", "trainer.max_epochs=1")
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("hydrascope").experiment_id])
    assert run.info.status == "FAILED"
    assert "val/head_loss" in run.data.metrics  # the training itself had ended well


@pytest.mark.parametrize(
    ("ckpt", "complaint"),
    [
        ("mlflow:0123456789abcdef", "'mlflow:0123456789abcdef' is not in "),
        ("models:/zema@nobody", "'models:/zema@nobody' is not in "),
        ("models:/zema", "'models:/zema' is not accepted; expected mlflow:RUN_ID, models:/NAME@"),
    ],
)
def test_a_checkpoint_that_is_not_there_is_one_error(
    ckpt: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "runs.db"
    uri = f"sqlite:///{database}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for exists in (False, True):
        with pytest.raises(SpecError, match="ckpt: ") as error:
            evaluated(ckpt, tmp_path / "evaluated")
        assert complaint in str(error.value)
        assert "\n" not in str(error.value)
        assert database.exists() == exists  # looking something up creates no database
        mlflow.MlflowClient(uri).search_experiments()


def test_a_server_that_is_away_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, but nobody listens
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(SpecError, match="cannot be asked for at"):
            evaluated("mlflow:0123456789abcdef", tmp_path / "evaluated")


@pytest.mark.slow
def test_a_run_is_written_offline_where_the_server_of_wandb_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("WANDB_API_KEY", 40 * "0")
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "3")
    monkeypatch.setenv("WANDB__DISABLE_VIEWER", "true")  # who we are: asked twice, 5 s each
    said: list[str] = []
    logger = wandb_logger("hydrascope", "online", tmp_path, {}, said.append)
    with runs_ended_with([logger]):
        logger.log_metrics({"loss": 1.0}, 0)
    (line,) = said
    assert "W&B is away" in line
    assert f"wandb sync {tmp_path}/wandb/offline-run-*" in line
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))
