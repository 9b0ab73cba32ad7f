"""A user's press: what a training says of it; its results outlive a move and a full disk."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jobs import ROOT, SMALL, Train

from hydrascope.experiment.data_settings import MovedData, MovedSource
from hydrascope.experiment.restore import restore
from hydrascope.schemas.errors import SpecError

MACHINE = """
equipment: {equipment_id: press_7, name: Press 7}
topology:
  id: press
  components:
    - id: pump
      kind: pump
      sensors:
        - {id: p_out, kind: pressure, unit: bar, rate_hz: 1}
        - {id: t_oil, kind: temperature, unit: degC, rate_hz: 1}
"""
WEAR = "{name: wear, level: machine, kind: binary}"
START = pd.Timestamp("2024-05-01T00:00:00Z")
SECONDS, SPELL_S = 7200, 600
"""Of the recording, and of the spells in which the press is worn or not."""


def make(folder: Path, temperature: str = "t_oil") -> Path:
    rng, at = np.random.default_rng(0), np.arange(SECONDS)
    worn = at // SPELL_S % 2
    table = pd.DataFrame(
        {
            "timestamp": pd.date_range(START, periods=SECONDS, freq="s"),
            "equipment_id": "press_7",
            "p_out": 150 + 10 * np.sin(at / 7) + rng.normal(size=SECONDS) - 8 * worn,
            temperature: 45 + rng.normal(size=SECONDS) + 3 * worn,
        }
    )
    spells = START + pd.to_timedelta(np.arange(0, SECONDS + 1, SPELL_S), unit="s")
    labels = {"equipment_id": "press_7", "start": spells[:-1], "end": spells[1:]}
    for name in ("machines", "labels"):
        (folder / name).mkdir(parents=True)
    table.to_csv(folder / "a.csv", index=False)
    pd.DataFrame(labels | {"wear": worn[::SPELL_S]}).to_csv(folder / "labels/l.csv", index=False)
    (folder / "machines" / "press_7.yaml").write_text(MACHINE)
    return folder


def overrides(folder: Path) -> list[str]:
    return [
        "data=parquet",
        "model=mlp",
        f"data.source.folder={folder}",
        f"task.heads=[{WEAR}]",
        "task.name=press",
        "trainer.max_epochs=1",
    ]


def script(name: str, *arguments: str, cwd: Path, **options: object) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, str(ROOT / name), *arguments, f"hydra.run.dir={cwd / 'run'}"]
    environment |= options.pop("environment", {})  # type: ignore[arg-type]
    return subprocess.run(
        command, capture_output=True, cwd=cwd, env=environment, timeout=200, **options
    )


@pytest.fixture(scope="module")
def press(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("press") / "telemetry")


@pytest.fixture(scope="module")
def run_dir(press: Path, run_training: Train) -> Path:
    return run_training(*overrides(press))


def test_labelled_windows_are_counted_beside_the_results(run_dir: Path) -> None:
    counts = pd.read_csv(run_dir / "labels.csv")
    assert counts["class"].tolist() == [0, 1]
    assert counts[["train", "val", "test"]].to_numpy().sum() == SECONDS // 60
    assert (counts[["train", "test"]] > 0).all(axis=None)


def test_a_training_says_what_the_check_says(
    tmp_path: Path, run_training: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    run_training(*overrides(make(tmp_path / "t", temperature=" t_oil")))
    said = capsys.readouterr().out
    assert "Labelled windows" in said
    assert said.count("press_7: never recorded: t_oil (the files have ' t_oil')") == 2
    assert said.rindex("never recorded") < said.rindex("Run: ")


def test_labels_that_cannot_be_judged_stop_a_training_before_it_computes(
    tmp_path: Path, run_training: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make(tmp_path / "t")
    file = folder / "labels" / "l.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:10]))
    with pytest.raises(SpecError, match="head 'wear': no labelled window in the test part"):
        run_training(*overrides(folder))
    assert "max_epochs" not in capsys.readouterr().out  # the configuration would hide the error


def test_data_that_have_moved_are_judged_at_their_new_place(
    press: Path, run_dir: Path, tmp_path: Path
) -> None:
    ckpt = tmp_path / "anywhere" / "best.ckpt"
    ckpt.parent.mkdir()
    shutil.copy(run_dir / "checkpoints" / "best.ckpt", ckpt)
    there = shutil.copytree(press, tmp_path / "there")
    data = restore(str(ckpt), MovedData(source=MovedSource(folder=str(there)))).data
    assert len(data.split.test) > 0
    with pytest.raises(SpecError, match=r"data\.source\.folder: '.*gone' is not there, seen from"):
        restore(str(ckpt), MovedData(source=MovedSource(folder=str(tmp_path / "gone"))))


@pytest.mark.slow
def test_results_are_whole_where_the_console_is_not_utf8(run_dir: Path, tmp_path: Path) -> None:
    done = script(
        "evaluate.py",
        f"ckpt={run_dir / 'checkpoints' / 'best.ckpt'}",
        "missing_sensors=false",
        cwd=tmp_path,
        environment={"PYTHONIOENCODING": "latin-1"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    written = {file.name for file in (tmp_path / "run").iterdir()}
    assert {"evaluation.json", "report.html", "predictions.parquet"} <= written


@pytest.mark.usefixtures("run_dir")  # its store is complete
def test_a_full_disk_leaves_no_half_file_and_is_one_line(press: Path, tmp_path: Path) -> None:
    room = 100_000
    done = script(
        "train.py",
        *SMALL,
        *overrides(press),
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    said = done.stderr.decode()
    assert done.returncode == 2
    assert said.count("\n") == 1
    assert "best.ckpt: cannot be written (File too large); make room, or write elsewhere" in said
    assert not [*(tmp_path / "run").rglob("*ckpt*")]


@pytest.mark.slow
def test_a_full_disk_under_the_store_is_one_line_that_names_it(press: Path, tmp_path: Path) -> None:
    room = 20_000
    done = script(
        "train.py",
        *(each for each in SMALL if not each.startswith("data.store")),
        *overrides(press),
        f"data.store.folder={tmp_path / 'store'}",
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    assert done.returncode == 2
    assert f"train.py: {tmp_path / 'store'}/" in done.stderr.decode()
    assert "cannot be written (File too large)" in done.stderr.decode()


# The same network and the same kind of head with DDP: test_process_grid.py.
@pytest.mark.usefixtures("forks")
def test_several_processes_train_a_network_of_which_a_task_asks_a_part(
    press: Path, run_training: Train
) -> None:
    run_dir = run_training(
        *overrides(press), "trainer=fsdp", "hardware=cpu_x2", "data.batch_size=17"
    )
    assert (run_dir / "results.json").is_file()
