"""Every command of the README and of its first pages runs, on the files that they show."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from shutil import rmtree

import pandas as pd
import pytest
from in_process import run
from jobs import ALL_HELD_OUT, DISCRIMINANT, QUICK, ROOT, small
from pages import RUN, blocks, shown_files
from tests.support.services import service

from hydrascope.telemetry import ZemaSource

COMMANDS = dict.fromkeys(
    command
    for block in blocks(RUN, "bash")
    for line in block.splitlines()
    if (command := line.split("#")[0].strip())
)
BRIEF = [*QUICK, "trainer.max_epochs=1", "trainer.limit_train_batches=1"]


@pytest.fixture(scope="module")
def workplace(
    tmp_path_factory: pytest.TempPathFactory, trained: Path, bundle: Path, forks: None
) -> Path:
    """Return a folder with scripts, configs, a trained run, its bundle, and the pages' files."""
    folder = tmp_path_factory.mktemp("clone")
    for name in (
        "train.py", "evaluate.py", "export.py", "Makefile", "constraints.txt", "pyproject.toml",
    ):  # fmt: skip
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "conf", folder / "conf")
    timescaledb = Path("tests", "support", "pglite", "package-lock.json")
    (folder / timescaledb).parent.mkdir(parents=True)
    shutil.copy(ROOT / timescaledb, folder / timescaledb)  # what `make test` depends on
    shutil.copytree(trained, folder / "outputs" / "RUN")
    shutil.copytree(bundle, folder / "bundles" / "current")
    for name, text in shown_files().items():
        (folder / name).write_text(text)
    write_telemetry(folder / "telemetry")
    return folder


def write_telemetry(folder: Path) -> None:
    """Write the rig's pump pressure and tank temperature as those of a press, and its labels.

    Of every seventh cycle, so that all classes come early and late.
    """
    rig = ZemaSource()
    (extent,) = rig.extents("zema")
    signals = rig.read("zema", extent)
    (folder / "labels").mkdir(parents=True)
    seconds, rare = 300 * 60, slice(0, 2100, 7)
    pressure, temperature = (
        signals[name].values.reshape(-1, 60)[rare].ravel() for name in ("PS1", "TS1")
    )
    table = pd.DataFrame(
        {
            "timestamp": pd.date_range("2026-01-01", periods=seconds, freq="1s"),
            "equipment_id": "press_7",
            "p_out": pressure,
            "t_oil": temperature,
        }
    )
    table.to_csv(folder / "january.csv", index=False)
    starts = table["timestamp"].iloc[::60].reset_index(drop=True)
    labels = pd.DataFrame({"equipment_id": "press_7", "start": starts})
    labels["end"] = starts + pd.Timedelta(seconds=60)
    labels["pump"] = rig.labels("zema")["pump"].to_numpy()[rare]
    labels.to_csv(folder / "labels" / "pump.csv", index=False)


def shortened(words: list[str]) -> list[str]:
    """Return the command, brief if it trains."""
    if words[1] in ("train.py", "train") and "--help" not in words:
        # What the command itself says wins over what makes it brief.
        said = {word.partition("=")[0] for word in words}
        brief = small(*words[2:], *BRIEF)
        extra = [word for word in brief if word.partition("=")[0] not in said]
        if any(word.startswith("model=") for word in words):
            extra = [word for word in extra if not word.startswith("model.")]
        if "model=discriminant" in words:
            extra += DISCRIMINANT[1:]
        if any(word.startswith("resume=") for word in words):
            extra = [*small(), ALL_HELD_OUT, "trainer.max_epochs=4"]
        words += extra
    if "-m" in words[2:]:  # of a sweep the first two, which are processes of their own
        words = [re.sub(r"(=[^,{]+,[^,]+),.*", r"\1", word) for word in words]
    return words


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_runs(
    command: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        subprocess.run([*words, "--dry-run"], cwd=workplace, check=True, stdout=subprocess.DEVNULL)
        return
    assert words[0] in ("python", "hydrascope")
    if words[1] in ("serve.py", "serve"):
        assert words[2:] == ["bundle=bundles/rig", "port=8000"]
        if words[0] == "python":  # that of hydrascope: test_wheel.py
            with service(workplace / "bundles" / "current") as running:
                assert running.process.poll() is None
        return
    for output in (word.removeprefix("output=") for word in words if word.startswith("output=")):
        rmtree(workplace / output, ignore_errors=True)  # another page may have written it
    monkeypatch.chdir(workplace)
    assert not run(shortened(words), monkeypatch)


def test_make_train_is_the_experiment_that_the_readme_shows(workplace: Path) -> None:
    done = subprocess.run(
        ["make", "train", "--dry-run"], capture_output=True, text=True, cwd=workplace, check=True
    )
    assert "python train.py experiment=zema" in done.stdout


def test_bare_make_lists_every_target(workplace: Path) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory"], capture_output=True, text=True, cwd=workplace, check=True
    )
    targets = re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {line.split()[0] for line in done.stdout.splitlines()} == set(targets)
