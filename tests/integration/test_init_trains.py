"""From a folder of raw files to a trained model by the two commands that a user types."""

import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import run
from tests.support.raw_folders import actuators, water_loop

SMALL = (
    "trainer.max_epochs=1",
    "tracking=none",
    "baselines=false",
    "trainer.progress_bar=false",
    "hardware.threads=1",
)
MOST_SECONDS = 2.0


def hydrascope(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "hydrascope", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(
    ("make", "size"),
    [(water_loop, ()), (actuators, ("model.hidden_channels=16",))],
    ids=["unlabelled", "labelled"],
)
def test_the_printed_command_trains(
    tmp_path: Path,
    make: object,
    size: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert callable(make)
    make(tmp_path / "raw")
    monkeypatch.chdir(tmp_path)
    assert not run(["python", "-m", "hydrascope", "init", "raw"], monkeypatch)
    printed = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert printed[1:3] == ["-m", "hydrascope"]
    assert not run([*printed, *SMALL, *size, "run_dir=run"], monkeypatch)
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()
    assert "Test: " in capsys.readouterr().out


def test_the_files_are_validated_in_two_seconds_of_processor_time(tmp_path: Path) -> None:
    water_loop(tmp_path / "raw", rows=200)
    hydrascope(tmp_path, "init", "raw")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    hydrascope(tmp_path, "config", "validate", "--config-dir", "own/conf", "experiment=raw")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < MOST_SECONDS
