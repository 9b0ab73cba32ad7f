"""A user's own configuration files come before the package's, for every command."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hydrascope import __version__
from hydrascope.cli import app, main
from hydrascope.experiment.config_files import CONF

MODEL = (CONF / "model" / "mlp.yaml").read_text("utf-8")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder beside which commands are typed: a model by another name, and another `mlp`."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "user's own" / "model"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(MODEL.replace("name: mlp", "name: mine"), "utf-8")
    (folder / "mlp.yaml").write_text(MODEL.replace("name: mlp", "name: edited"), "utf-8")
    return folder.parent


def hydrascope(*arguments: str) -> int:
    """Run the command in this process, and return its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["hydrascope", *arguments])
        patch.setattr(sys, "path", [*sys.path])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def test_what_is_copied_is_the_packages_and_is_trained_with_once_edited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hydrascope("config", "copy", "mine") == 0
    assert capsys.readouterr().out.strip().endswith("hydrascope train --config-dir mine")
    copied = {file.relative_to("mine") for file in Path("mine").rglob("*.yaml")}
    assert copied == {file.relative_to(CONF) for file in CONF.rglob("*.yaml")}
    primary = Path("mine/train.yaml")
    primary.write_text(primary.read_text("utf-8").replace("\nseed: 42\n", "\nseed: 7\n"), "utf-8")
    assert hydrascope("train", "--config-dir", "mine", "--cfg", "job") == 0
    assert "seed: 7\n" in capsys.readouterr().out


@pytest.mark.parametrize("there", ["a file", "a folder with files"])
def test_nothing_that_is_there_is_copied_over(there: str, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    if there == "a file":
        target.write_text("")
    else:
        target.mkdir()
        (target / "train.yaml").write_text("")
    done = CliRunner().invoke(app, ["config", "copy", str(target)])
    assert str(done.exception) == (
        f"{target}: is there already; expected a new folder, or an empty one"
    )


def test_a_folder_that_cannot_be_made_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for target in ("/proc/foo", str(tmp_path / "file" / "mine")):
        assert hydrascope("config", "copy", target) == 2
        said = capsys.readouterr().err.strip()
        assert said.startswith(f"{target}: cannot be written (")
        assert "\n" not in said


@pytest.mark.parametrize("option", ["--config-dir", "-cd"])
@pytest.mark.parametrize(("model", "name"), [("mine", "mine"), ("mlp", "edited"), ("arma", "arma")])
def test_own_files_come_first_and_the_packages_behind_them(
    option: str, model: str, name: str, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hydrascope("train", option, str(own), f"model={model}", "--cfg", "job") == 0
    shown = capsys.readouterr().out
    assert f"  name: {name}\n" in shown
    assert hydrascope("train", f"{option}={own}", f"model={model}", "--help") == 0
    helped = capsys.readouterr().out
    assert shown.strip() in helped
    assert "mine, mlp" in helped
    assert "hydrascope train -m" in helped


def test_a_check_finds_own_files_too(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ("config", "validate", "--config-dir", str(own))
    assert hydrascope(*told, "model=mine") == 0
    assert hydrascope(*told, str(own / "model" / "mine.yaml")) == 0
    capsys.readouterr()
    assert hydrascope(*told, "model=nobodys") == 2
    assert "mahalanobis, mahalanobis_cycle, mine, mlp, nearest_neigh" in capsys.readouterr().err
    assert hydrascope("config", "validate", "model=mine") == 2


@pytest.mark.parametrize("command", ["train", "evaluate", "export", "config validate"])
@pytest.mark.parametrize("named", ["nowhere", ""])
def test_a_folder_that_is_not_there_is_one_line(
    command: str, named: str, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hydrascope(*command.split(), "--config-dir", named) == 2
    said = capsys.readouterr().err.strip()
    assert said.endswith(f"--config-dir: {named!r} is not accepted; expected a folder")
    assert "\n" not in said


@pytest.mark.parametrize("command", ["evaluate", "export"])
def test_every_command_reads_its_own_file_there(
    command: str, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (CONF / f"{command}.yaml").read_text("utf-8").replace("ckpt: ???", "ckpt: none.ckpt")
    (own / f"{command}.yaml").write_text(text, "utf-8")
    assert hydrascope(command, "--config-dir", str(own)) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"hydrascope {command}: ckpt: 'none.ckpt' is not accepted; expected")


def test_a_complaint_begins_with_what_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for command, line in (
        ("train data.fold=7", "train: data.fold: 7 is not accepted; expected 0 to 4"),
        ("train --help data.fild=7", "train: data.fild: no such key; accepted: source, "),
        ("serve port", "serve: port: not of the form key=value"),
        ("serve port=8000", "serve: bundle: missing, but required"),
    ):
        assert hydrascope(*command.split()) == 2
        assert capsys.readouterr().err.startswith(f"hydrascope {line}")


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        ("train", "hydra", "train"),
        ("config validate", "hydra", "train"),
        ("serve", "fastapi", "serve"),
    ],
)
def test_an_extra_that_is_missing_is_named(
    command: str,
    package: str,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as Python has what cannot be imported
    assert hydrascope(*command.split()) == 2
    assert capsys.readouterr().err.strip() == (
        f"hydrascope {command}: needs the extra `{extra}`; write pip install 'hydrascope[{extra}]'"
    )


def test_the_help_of_the_service_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert hydrascope("serve", "--help") == 0
    said = capsys.readouterr().out
    assert "hydrascope serve bundle=PATH" in said
    assert "\nport=8000\n    Port to listen on; 0: any free one.\n" in said
    lines = said.splitlines()
    settings = [number for number, line in enumerate(lines) if line.partition(" ")[0].count("=")]
    assert len(settings) > 20
    assert all(lines[number + 1].strip() for number in settings[1:])


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert hydrascope("--version") == 0
    assert capsys.readouterr().out == f"hydrascope {__version__}\n"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["mod"], ["model="]),
        (["tra"], ["tracking=", "trainer="]),
        (["hardware=gpu_"], ["hardware=gpu_bf16", "hardware=gpu_float8"]),
        (["seed=1", "hardware", "=", "gpu_"], ["gpu_bf16", "gpu_float8"]),  # as bash cuts words
        (["loss", ""], ["default"]),  # after `loss=`
        (["hardware=gpu", "los"], ["loss="]),
        (["nothing="], []),
    ],
)
def test_a_shell_is_offered_groups_and_their_options(words: list[str], offered: list[str]) -> None:
    *before, incomplete = words
    completed = " ".join(["hydrascope", "train", *before, incomplete])
    environment = {
        "_HYDRASCOPE_COMPLETE": "complete_bash",
        "COMP_WORDS": completed,
        "COMP_CWORD": str(1 + len(words)),
    }
    done = CliRunner().invoke(app, [], prog_name="hydrascope", env=environment)
    assert done.stdout.split() == offered
