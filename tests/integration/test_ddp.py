"""Two processes train as one with the doubled batch does, alone and inside a sweep."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from jobs import FEW_HELD_OUT, QUICK, ROOT, Train, small, train_settings

from hydrascope.experiment import train
from hydrascope.experiment.job_settings import TrainSettings, validate_train
from hydrascope.experiment.launch import launch
from hydrascope.experiment.processes import run_in_processes
from hydrascope.schemas.errors import SpecError

SAME = (
    "model.dropout=0",
    "model.input_noise=0",
    "data.window.steps=2",
    "features.patch=false",
    FEW_HELD_OUT,
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=null",
)
"""Dropout is a function of the process too, so it is off where processes are compared."""
# 1,705 windows leave a last step whose shares differ; one head has labels for some rows only.
SOURCE = "data.source={_target_: damaged_rig.DamagedRig}"


# Each training is three processes: slow where others work too.
pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("forks")]


@pytest.fixture(scope="module")
def alone(run_training: Train) -> Path:
    """Return the run of one process with the doubled batch."""
    return run_training(*SAME, SOURCE, "data.batch_size=256")


def losses(run_dir: Path) -> pd.DataFrame:
    rows = pd.read_csv(run_dir / "metrics.csv").dropna(subset="epoch")
    columns = [name for name in rows if "loss" in name]
    return rows.groupby(rows["epoch"].astype(int))[columns].first()


def script(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "train.py"), *small(*overrides)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=800)


def test_two_processes_have_the_losses_of_one_with_the_doubled_batch(
    alone: Path, run_training: Train, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    run_training(
        *SAME,
        SOURCE,
        "data.batch_size=128",
        "trainer=ddp",
        "trainer.limit_train_batches=null",
        "trainer.max_epochs=2",
        "trainer.progress_bar=false",
        "hardware=cpu_x2",
        "hardware.threads=1",
        f"run_dir={run_dir}",
    )
    one, two = losses(alone), losses(run_dir)
    assert len(one) == 2
    pd.testing.assert_frame_equal(two, one, rtol=0, atol=1e-4)
    results = [json.loads((each / "results.json").read_text())["test"] for each in (alone, run_dir)]
    for head, values in results[0]["gatv2_arma"].items():
        assert values["rows"] == results[1]["gatv2_arma"][head]["rows"]


@pytest.mark.slow
def test_two_nodes_of_torchrun_share_the_weights_and_have_the_losses_of_one(
    alone: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"),
        *("--rdzv-backend=c10d", f"--rdzv-endpoint=localhost:{port}", "--rdzv-id=two"),
        *("--local-addr=localhost", str(ROOT / "train.py"), *small(*SAME), SOURCE),
        *("data.batch_size=128", "trainer=fsdp", "trainer.num_nodes=2", "trainer.max_epochs=2"),
        *("trainer.limit_train_batches=null", "hydra.run.dir=run", "tracking=none"),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    logs = [tmp_path / f"node{node}.log" for node in range(2)]
    nodes = []
    try:
        for log in logs:
            with log.open("wb") as file:
                each = subprocess.Popen(
                    command, cwd=tmp_path, env=environment, stdout=file, stderr=file
                )
            nodes.append(each)
        codes = [node.wait(timeout=400) for node in nodes]
    finally:
        for node in nodes:
            node.terminate()
            node.wait()
    said = "".join(log.read_text() for log in logs)
    assert codes == [0, 0], said
    assert said.count("Run: ") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"run", *(log.name for log in logs)}
    one, two = losses(alone), losses(tmp_path / "run")
    assert len(two) == 2
    pd.testing.assert_frame_equal(two, one, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_a_sweep_of_trainings_in_two_processes_each_leaves_its_runs_and_nothing_else(
    tmp_path: Path,
) -> None:
    done = script(
        tmp_path,
        *QUICK,
        "trainer=ddp",
        "hardware=cpu_x2",
        "hardware.threads=1",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=1",
        "trainer.progress_bar=false",
        "launcher=joblib",
        "data.fold=0,1",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
        "--multirun",
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"sweep"}
    runs = {path.name for path in (tmp_path / "sweep").iterdir()}
    assert runs == {"0", "1", "multirun.yaml", "summary.csv"}
    rows = []
    for job in ("0", "1"):
        folder = tmp_path / "sweep" / job
        rows.append(json.loads((folder / "results.json").read_text())["test"]["gatv2_arma"])
        names = {path.name for path in folder.iterdir()}
        files = {"metrics.csv", "hparams.yaml", "results.json", "settings.json", "trial.log"}
        files |= {"labels.csv"}
        assert names == {".hydra", "checkpoints", "provenance"} | files
        said = (folder / "trial.log").read_text()
        assert said.count("Run: ") == 1  # one of the two processes reports
    assert [row["valve"]["rows"] for row in rows] == [440, 441]


@pytest.mark.slow
def test_what_is_wrong_with_the_data_is_one_line_of_one_process(tmp_path: Path) -> None:
    done = script(
        tmp_path,
        "trainer=ddp",
        "hardware=cpu_x2",
        f"data.source.folder={tmp_path}",
        f"hydra.run.dir={tmp_path / 'run'}",
    )
    assert done.returncode == 2
    assert done.stderr.count("  PS1.txt: no such file") == 1
    assert "Traceback" not in done.stderr


def tell_environment(settings: TrainSettings) -> None:
    told = {name: os.environ.get(name) for name in ("RANK", "TOLD_LATER", "TOLD_BEFORE")}
    (Path(settings.run_dir) / f"{told['RANK']}.json").write_text(json.dumps(told), "utf-8")


def test_processes_have_the_environment_that_a_notebook_has_set_since_its_last_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = train_settings(*small("trainer=ddp", "hardware=cpu_x2", f"run_dir={tmp_path}"))
    monkeypatch.setenv("RANK", "7")  # the launcher's own is kept
    for name, other in (("TOLD_BEFORE", "TOLD_LATER"), ("TOLD_LATER", "TOLD_BEFORE")):
        monkeypatch.setenv(name, "yes")
        monkeypatch.delenv(other, raising=False)
        run_in_processes(tell_environment, settings)
        for rank in ("0", "1"):
            told = json.loads((tmp_path / f"{rank}.json").read_text("utf-8"))
            assert told == {"RANK": rank, name: "yes", other: None}


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (["hardware=cpu_x2"], "hardware.devices: 2 wanted, but trainer.strategy 'single' uses one"),
        (
            ["trainer=ddp", "trainer.num_nodes=2"],
            "trainer.num_nodes: 2 takes torchrun on each of them: torchrun --nnodes=2 ",
        ),
        (
            ["trainer=fsdp", "optim.ema_decay=0.9"],
            "optim.ema_decay: no process has all weights to average",
        ),
        (
            ["trainer=ddp", "loss.balancing=upgrad"],
            "loss.balancing: 'upgrad' goes back through the network for each loss by itself, which "
            "does not work with trainer.strategy=ddp; accepted with it: fixed or uncertainty",
        ),
    ],
)
def test_devices_and_strategies_that_do_not_go_together_are_refused(
    tmp_path: Path, overrides: list[str], complaint: str
) -> None:
    with pytest.raises(SpecError, match=re.escape(complaint)):
        train.run(train_settings(*small(*overrides), f"run_dir={tmp_path / 'run'}"))
    assert not (tmp_path / "run").exists()


@pytest.fixture
def under_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be one of two processes of this machine."""
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("LOCAL_WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "mine")


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (["hardware.devices=1"], "trainer.strategy: 'single' is one process, but torchrun has"),
        (
            ["trainer=ddp", "hardware.devices=2", "trainer.num_nodes=2"],
            "with hardware.devices=2 are 4 processes, 2 on each node; torchrun has started 2, 2 on",
        ),
    ],
)
def test_other_processes_than_torchrun_has_started_are_refused(
    under_torchrun: None, tmp_path: Path, overrides: list[str], complaint: str
) -> None:
    with pytest.raises(SpecError, match=re.escape(complaint)):
        train.run(train_settings(*small(*overrides), f"run_dir={tmp_path / 'run'}"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["trainer=ddp", "hardware=cpu_x2"], "hydra.run.dir: required under torchrun"),
        (["-m", "data.fold=0,1"], "torchrun: each of its processes would run the sweep"),
    ],
)
def test_processes_of_torchrun_are_one_training_with_one_folder(
    under_torchrun: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    with pytest.raises(SystemExit, match="2"):
        launch("train", validate_train, "hydrascope.experiment.train", ROOT / "conf")
    assert complaint in capsys.readouterr().err
