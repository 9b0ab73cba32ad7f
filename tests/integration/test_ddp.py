"""Two processes train as one with the doubled batch does, alone and inside a sweep."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from jobs import ROOT, Train, small

from hydrascope.schemas.errors import SpecError

SAME = ("model.dropout=0", "trainer.max_epochs=2", "trainer.limit_train_batches=null")
"""Dropout is a function of the process too, so it is off where processes are compared."""


# Each training is three fresh processes that import everything: slow where others work too.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def losses(run_dir: Path) -> pd.DataFrame:
    rows = pd.read_csv(run_dir / "metrics.csv").dropna(subset="epoch")
    columns = [name for name in rows if "loss" in name]
    return rows.groupby(rows["epoch"].astype(int))[columns].first()


def script(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "train.py"), *small(*overrides)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=800)


def test_two_processes_have_the_losses_of_one_with_the_doubled_batch(
    run_training: Train, tmp_path: Path
) -> None:
    # 1,587 windows leave a last step whose shares differ; one head has labels for some rows only.
    source = "data.source={_target_: damaged_rig.DamagedRig}"
    alone = run_training(*SAME, source, "data.batch_size=256")
    run_dir = tmp_path / "run"
    run_training(
        *SAME,
        source,
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
    for head, values in results[0]["network"].items():
        assert values["rows"] == results[1]["network"][head]["rows"]


def test_a_sweep_of_trainings_in_two_processes_each_leaves_its_runs_and_nothing_else(
    tmp_path: Path,
) -> None:
    done = script(
        tmp_path,
        "trainer=ddp",
        "hardware=cpu_x2",
        "hardware.threads=1",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=1",
        "trainer.progress_bar=false",
        "readout=heads",  # fitted by one process after the training: nothing to do with a sweep
        "data.fold=0,1",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
        "--multirun",
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"sweep"}
    runs = {path.name for path in (tmp_path / "sweep").iterdir()}
    assert runs == {"0", "1", "multirun.yaml"}
    rows = []
    for job in ("0", "1"):
        folder = tmp_path / "sweep" / job
        rows.append(json.loads((folder / "results.json").read_text())["test"]["network"])
        names = {path.name for path in folder.iterdir()}
        files = {"metrics.csv", "hparams.yaml", "results.json"}
        assert names == {".hydra", "checkpoints", "provenance"} | files
    assert [row["valve"]["rows"] for row in rows] == [440, 441]
    assert done.stdout.count("Run: ") == 2  # one of the two processes reports


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


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (["hardware=cpu_x2"], "hardware.devices: 2 wanted, but trainer.strategy 'single' uses one"),
        (
            ["trainer=ddp", "loss.balancing=upgrad"],
            "loss.balancing: 'upgrad' goes back through the network for each loss by itself, which "
            "does not work with trainer.strategy=ddp; accepted with it: fixed or uncertainty",
        ),
    ],
)
def test_devices_and_strategies_that_do_not_go_together_are_one_line(
    run_training: Train, overrides: list[str], complaint: str
) -> None:
    with pytest.raises(SpecError) as error:
        run_training(*overrides)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)
