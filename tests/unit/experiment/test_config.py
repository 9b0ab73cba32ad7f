"""Every key of conf/ says what it means, and a configuration is checked without being run."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.experiment.job_settings import validate_train

CONF = Path(__file__).parents[3] / "conf"
# They set keys that the other groups document.
SETTING = {"experiment", "debug"}
GROUPS = sorted(path for path in CONF.iterdir() if path.is_dir() and path.name not in SETTING)


def keys(node: yaml.Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield each key's path and line; what stands in a list is data, not a key."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        for key, value in node.value:
            inner = (*path, key.value)
            nested = list(keys(value, inner))
            yield from nested or [(inner, key.start_mark.line)]


def undocumented(files: list[Path]) -> set[str]:
    """Return the keys of a group that none of its files says anything about.

    An option may set again what another one documents. `_target_` names the class that the file's
    first line is about; a comment speaks of a key when it stands above it or behind it.
    """
    found: set[tuple[str, ...]] = set()
    said: set[tuple[str, ...]] = set()
    for file in files:
        lines = file.read_text("utf-8").splitlines()
        for path, line in keys(yaml.compose("\n".join(lines))):
            if path[0] in ("defaults", "hydra") or path[-1] == "_target_":
                continue
            found.add(path)
            above = lines[line - 1].strip() if line else ""
            if " # " in lines[line] or above.startswith("#"):
                said.add(path)
    return {".".join(path) for path in found - said}


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_every_key_of_a_group_is_documented_beside_its_default(group: Path) -> None:
    assert undocumented(sorted(group.glob("*.yaml"))) == set()


def test_every_option_of_every_group_stands_in_the_table_of_the_documentation() -> None:
    text = (CONF.parent / "docs" / "experiments.md").read_text("utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    listed = {
        group: set(re.findall(r"`(\w+)`", options))
        for _, groups, _, options, _ in rows
        for group in re.findall(r"`(\w+)`", groups)
    }
    for folder in (path for path in CONF.iterdir() if path.is_dir()):
        options = {file.stem for file in folder.glob("*.yaml")} - {"base"}
        assert options <= listed[folder.name]


@pytest.mark.parametrize("script", ["train", "evaluate", "export"])
def test_every_key_of_a_script_is_documented_beside_its_default(script: str) -> None:
    assert undocumented([CONF / f"{script}.yaml"]) == set()


def test_a_key_without_a_comment_is_found(tmp_path: Path) -> None:
    file = tmp_path / "option.yaml"
    file.write_text("# What a is.\na: 1\nb: 2\nc:\n  d: 3  # What d is.\n  e: 4\n")
    assert undocumented([file]) == {"b", "c.e"}


def cli(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["config", *arguments])
    return done.exit_code, str(done.exception or done.stdout)


@pytest.mark.parametrize(
    "experiment", sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
)
def test_every_experiment_is_valid(experiment: str) -> None:
    file = str(CONF / "experiment" / f"{experiment}.yaml")
    own = [f"experiment={experiment}", "data.source.folder=."]
    code, said = cli("validate", *(own if experiment == "finetune" else [file]))
    assert (code, said[:6]) == (0, "valid:")


@pytest.mark.parametrize("group", ["debug", "launcher"])
def test_every_option_of_a_group_is_valid(group: str) -> None:
    options = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    assert options
    for option in options:
        code, said = cli("validate", f"{group}={option}")
        assert code == 0, said


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("trainer.max_epoch=3", "trainer.max_epoch: no such key; accepted: "),
        ("optim.lr=-1", "optim.lr: -1 is not accepted; expected greater than 0"),
        ("model=gat", "model=gat: no such option; accepted: arma, "),
        ("nowhere.yaml", "nowhere.yaml: no such file"),
        ("model._target_=nowhere.Network", "model._target_: 'nowhere.Network' is not accepted: "),
        ("model._target_=pathlib.Path", "model._target_: 'pathlib.Path' is not accepted; expected"),
    ],
)
def test_what_is_wrong_is_said_as_a_training_would(override: str, said: str) -> None:
    code, message = cli("validate", override)
    assert code != 0
    assert said in message


def test_references_are_named_in_one_way_only() -> None:
    alone = ["data.reference.label=null", "data.reference.first_h=50"]
    assert cli("validate", "data=fleet", *alone)[0] == 0
    code, message = cli("validate", "data=fleet", alone[1])
    assert code != 0
    assert "data.reference.first_h: 50 is not accepted; expected null if label is" in message


def test_normalising_by_machine_needs_reference_windows() -> None:
    code, message = cli("validate", "data.normalise.by=machine")
    assert code != 0
    assert "data.reference: " in message
    assert "expected label or first_h, because data.normalise.by is machine" in message
    assert cli("validate", "data.normalise.by=machine", "data.reference.first_h=2")[0] == 0


def test_lists_of_a_split_may_name_machines_by_number_and_times() -> None:
    lists = "data.split.parts={train:[1,2],test:[3,2026-01-01T00:00Z/2026-02-01T00:00Z]}"
    assert cli("validate", "data.split.name=column", lists)[0] == 0
    code, message = cli("validate", lists)
    assert code != 0
    assert "data.split.parts" in message
    assert "expected null, or data.split.name=column" in message
    code, message = cli("validate", "data.split.name=column", "data.split.parts={train:[1]}")
    assert code != 0
    assert "data.split.parts.test: missing, but required" in message


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sweep.trials=0", "train.py: sweep.trials: 0 is not accepted; "),
        ("sweep.space={optim.lr:{low:2}}", "train.py: sweep.space.optim.lr: "),
        ("sweep.objectives={test/score:maximize}", "train.py: sweep.objectives.test/score"),
        ("+sweep.objectives={val/score:maximize}", "pruning: expected null"),
        ("sweep.parallel=3", "sweep.parallel: is called launcher.parallel now"),
        ("launcher.parallel=0", "launcher.local.parallel: 0 is not accepted; "),
    ],
)
def test_what_is_wrong_with_a_search_is_one_line(override: str, said: str) -> None:
    assert cli("validate", "sweep=tpe")[0] == 0
    code, message = cli("validate", "sweep=tpe", override)
    assert code != 0
    assert said in message
    assert "\n" not in message


def test_a_whole_configuration_is_checked_key_by_key(tmp_path: Path) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        whole = compose("train")
    file = tmp_path / "config.yaml"
    OmegaConf.save(whole, file)
    assert cli("validate", str(file))[0] == 0
    OmegaConf.update(whole, "optim.schedule.warmup_fraction", 2.0)
    OmegaConf.save(whole, file)
    assert "optim.schedule.warmup_fraction: 2.0 is not accepted" in cli("validate", str(file))[1]


def test_the_schema_accepts_what_is_valid_and_refuses_what_is_not() -> None:
    schema = json.loads(cli("schema")[1])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        plain = OmegaConf.to_container(compose("train", ["run_dir=."]), resolve=True)
    assert isinstance(plain, dict)
    checker = jsonschema.Draft202012Validator(schema)
    assert not list(checker.iter_errors(plain))
    plain["model"]["hidden_chanels"] = 8
    assert any("hidden_chanels" in error.message for error in checker.iter_errors(plain))
    plain["model"] = {"_target_": "mine.Network", "anything": 1}
    assert not list(checker.iter_errors(plain))
    plain["optim"]["lr"] = -1.0
    assert list(checker.iter_errors(plain))


def composed(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        plain = OmegaConf.to_container(compose("train", ["run_dir=.", *overrides]), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


@pytest.mark.parametrize("model", sorted(path.stem for path in (CONF / "model").glob("*.yaml")))
def test_a_model_is_called_like_its_file(model: str) -> None:
    # A default keeps its name where a file suits it to a kind of data.
    expected = model.removesuffix("_cycle").removesuffix("_fleet")
    assert validate_train(composed(f"model={model}")).model.name == expected


def test_a_model_without_a_name_is_called_like_its_class() -> None:
    plain = composed()
    plain["model"] = {"_target_": "mine.Network", "anything": 1}
    settings = validate_train(plain).model
    assert settings.name == "Network"
    assert settings.keys == {"anything": 1}
    assert not settings.closed_form


@pytest.mark.parametrize("override", ["readout=heads", "readout.draws=2", "readout=linear"])
def test_a_readout_of_before_is_said_to_be_a_model_now(override: str) -> None:
    code, message = cli("validate", override)
    assert code != 0
    assert "readout: is a model of its own now: model=discriminant or model=linear" in message


def test_the_database_of_a_run_stays_the_same_one_wherever_the_process_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        plain = OmegaConf.to_container(
            compose("train", ["tracking=mlflow", "run_dir=r"]), resolve=True
        )
    mlflow = validate_train(plain).tracking.mlflow
    assert mlflow is not None
    assert mlflow.uri == f"sqlite:///{tmp_path}/mlruns.db"
