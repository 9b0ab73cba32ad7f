"""Every command of the README runs, on the files that the README shows."""

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jobs import ROOT, SMALL

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
]
BRIEF = [*SMALL, "trainer.max_epochs=1", "trainer.limit_train_batches=1"]

PRESS_SOURCE = '''
"""The rig's pump pressure and tank temperature, sold as a press."""
import pandas as pd
from hydrascope.schemas import Machine
from hydrascope.telemetry.source import Signal
from hydrascope.telemetry.zema import ZemaSource


class PressSource:
    fingerprint = "press"

    def __init__(self):
        self.rig = ZemaSource()

    def machines(self):
        machine = Machine.from_yaml("press.yaml")
        return {machine.equipment.equipment_id: machine}

    def extents(self, equipment_id):
        return self.rig.extents("zema")

    def read(self, equipment_id, window):
        signals = self.rig.read("zema", window)
        return {"p_out": signals["PS1"], "t_oil": signals["TS1"]}

    def labels(self, equipment_id):
        labels = self.rig.labels("zema")[["start", "end", "cooler"]]
        return labels.rename(columns={"cooler": "oil"})
'''
PRESS_TASK = """
name: press
heads:
  - {name: oil, level: machine, kind: ordinal,
     classes: [{value: 3, name: hot}, {value: 20, name: warm}, {value: 100, name: cool}]}
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Path:
    """Return a folder with scripts, configs, a trained run, and the README's own machine."""
    folder = tmp_path_factory.mktemp("clone")
    for script in ("train.py", "evaluate.py", "export.py", "Makefile", "pyproject.toml"):
        shutil.copy(ROOT / script, folder)
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copytree(trained, folder / "outputs" / "RUN")
    (machine,) = re.findall(r"```yaml\n# press.yaml\n(.*?)```", README, flags=re.DOTALL)
    (folder / "press.yaml").write_text(machine)
    (folder / "conf" / "task" / "press.yaml").write_text(PRESS_TASK)
    (data,) = re.findall(r"```yaml\n# conf/data/press.yaml\n(.*?)```", README, flags=re.DOTALL)
    (folder / "conf" / "data" / "press.yaml").write_text(data)
    (folder / "my_package.py").write_text(PRESS_SOURCE)
    return folder


def shortened(words: list[str]) -> list[str]:
    """Return the command, brief if it trains."""
    if words[1] == "train.py" and "--help" not in words:
        # What the command itself says wins over what makes it brief.
        said = {word.partition("=")[0] for word in words}
        extra = [word for word in BRIEF if word.partition("=")[0] not in said]
        if any(word.startswith("resume=") for word in words):
            extra = [*SMALL, "trainer.max_epochs=4"]
        words += extra
    return words


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_runs(
    command: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        subprocess.run([*words, "--dry-run"], cwd=workplace, check=True, stdout=subprocess.DEVNULL)
        return
    assert words[0] == "python"
    monkeypatch.chdir(workplace)
    monkeypatch.syspath_prepend(workplace)
    # In this process, because importing torch and Lightning anew takes longer than the command.
    code: object = 0
    try:
        if words[1] == "-m":
            monkeypatch.setattr(sys, "argv", words[2:])
            runpy.run_module(words[2], run_name="__main__")
        else:
            monkeypatch.setattr(sys, "argv", shortened(words)[1:])
            runpy.run_path(words[1], run_name="__main__")
    except SystemExit as ended:
        code = ended.code
    assert not code


def test_make_train_is_the_experiment_that_the_readme_shows(workplace: Path) -> None:
    done = subprocess.run(
        ["make", "train", "--dry-run"], capture_output=True, text=True, cwd=workplace, check=True
    )
    assert "python train.py experiment=zema" in done.stdout


def test_bare_make_lists_every_target(workplace: Path) -> None:
    done = subprocess.run(["make"], capture_output=True, text=True, cwd=workplace, check=True)
    targets = re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {line.split()[0] for line in done.stdout.splitlines()} == set(targets)
