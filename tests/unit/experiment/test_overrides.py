"""Values of a command line arrive as they were typed, and files of configurations are YAML 1.2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException

from hydrascope.experiment.check import check
from hydrascope.experiment.complaints import complaint
from hydrascope.experiment.job_settings import validate_evaluate
from hydrascope.experiment.overrides import readable
from hydrascope.experiment.yaml_dialect import yaml_1_2
from hydrascope.schemas.errors import SpecError

ROOT = Path(__file__).parents[3]
CONF = ROOT / "conf"


def composed(*overrides: str) -> dict[str, object]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", overrides=["run_dir=.", *readable(overrides)])
    return {str(key): value for key, value in config.items()}


@pytest.mark.parametrize(
    "value",
    [
        "/runs/epoch=3-step=10.ckpt",
        "/my runs (old)/b.ckpt",
        "/Größe/b.ckpt",
        "~/b.ckpt",
        "postgresql://hydra@db:5432/name?sslmode=require&application_name=a",
        "C:\\runs\\b.ckpt",
        "C:\\runs\\",
        "it's here.ckpt",
        "a;b&c|d",
        "/mean_%r.bin",
        "#1.ckpt",
        "user@host",
    ],
)
def test_a_value_arrives_as_it_was_typed(value: str) -> None:
    assert composed(f"resume={value}")["resume"] == value


@pytest.mark.parametrize(
    ("override", "value"),
    [("seed=7", 7), ("seed=1e3", 1000.0), ("resume=null", None), ("resume='a b'", "a b")],
)
def test_what_the_grammar_reads_stays_as_it_reads_it(override: str, value: object) -> None:
    assert composed(override)[override.partition("=")[0]] == value


def test_only_configurations_are_read_as_yaml_1_2() -> None:
    with yaml_1_2([]):
        assert yaml.safe_load("[010, no, 1:30]") == [10, "no", "1:30"]
    assert yaml.safe_load("[010, no, 1:30]") == [8, False, 90]


def test_options_and_groups_are_left_alone() -> None:
    given = ["--config-dir", "x y", "-m", "model=mlp,arma", "~experiment", "+a=1", "key"]
    assert readable(given) == given


@pytest.mark.parametrize("value", ["5", "null", "true", "[1]", "[mlp,2]"])
def test_what_is_no_option_of_a_group_is_answered_with_the_options(value: str) -> None:
    with pytest.raises(SpecError, match=r"no such option; accepted: ddp, default, fsdp") as refused:
        check([f"trainer={value}"])
    assert str(refused.value).startswith(f"train.py: trainer={value}: ")


def test_a_value_with_a_comma_is_refused_with_how_to_quote_it() -> None:
    with pytest.raises(ConfigCompositionException) as error:
        composed("resume=/runs/a,b.ckpt")
    assert str(complaint(error.value, "train.py")) == (
        "train.py: resume: '/runs/a,b.ckpt' is several values, for a sweep; as one text: "
        "\"resume='/runs/a,b.ckpt'\""
    )


def test_a_path_may_begin_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "b.ckpt").write_bytes(b"")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("evaluate", overrides=readable(["run_dir=~/out", "ckpt=~/b.ckpt"]))
    settings = validate_evaluate({str(key): value for key, value in config.items()})
    assert (settings.ckpt, settings.run_dir) == (f"{tmp_path}/b.ckpt", f"{tmp_path}/out")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"trainer:\n\tmax_epochs: 1\n",
            "x.yaml:3:1: found character '\\t' that cannot",
        ),
        (b"seed: 1\nseed: 2\n", "x.yaml:3:1: key 'seed' repeats the one in line 2; keep one"),
        ("# Größe\nseed: 1\n".encode("latin-1"), "x.yaml:2: byte 0xf6 is not UTF-8, but perhaps L"),
        (b"seed: [1\n", "x.yaml:3:1: "),
        (b"seed: 1:30\n", "train.py: seed: '1:30' is not accepted"),
    ],
)
def test_a_file_at_fault_is_one_line_with_file_line_and_remedy(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "experiment").mkdir()
    file = tmp_path / "experiment" / "x.yaml"
    file.write_bytes(b"# @package _global_\n" + content)
    command = [sys.executable, str(ROOT / "train.py"), "--config-dir", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [*command, "experiment=x", f"run_dir={tmp_path}", f"hydra.run.dir={tmp_path}"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=100,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


@pytest.mark.parametrize(
    ("text", "value"), [("010", 10), ("016", 16), ("0x10", 16), ("1e3", 1000.0), ("018", 18)]
)
def test_configurations_are_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    (tmp_path / "c.yaml").write_text(f"seed: {text}\n")
    with yaml_1_2([tmp_path]), initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert compose("c")["seed"] == value


def test_a_whole_configuration_that_is_checked_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("seed: 1\nseed: 2\n")
    with pytest.raises(SpecError, match=r"config\.yaml:2:1: key 'seed' repeats the one in line 1"):
        check([str(file)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xef\xbb\xbfseed: 1\n", r"x\.yaml:1: begins with a byte order mark \(BOM\)"),
        ("seed: 1\n".encode("utf-16"), r"x\.yaml: byte 0xff is not UTF-8"),
        (b"seed: 1\0\n", r"x\.yaml:2: a character that YAML does not allow"),
        (b"[a]: 1\n", r"x\.yaml:2:1: a key that is a list or a mapping"),
        (b"seed: !!timestamp 2024-13-01\n", r"x\.yaml:2:7: month must be in 1\.\.12"),
        (b"seed: " + b"9" * 5000 + b"\n", r"x\.yaml:2:7: Exceeds the limit"),
        (b"seed: " + b"[" * 3000 + b"]" * 3000 + b"\n", r"x\.yaml: nested too deeply"),
        (b"defaults: {a: b}\n", r"Invalid defaults list in 'experiment/x'"),
        (b"defaults: [x]\n", r"the configurations refer to themselves"),
        (b"seed: ${seed}\n", r"^train\.py: seed: Recursive interpolation detected$"),
        (b"seed: ${nope}\n", r"^train\.py: seed: Interpolation key 'nope' not found$"),
        (b"seed: ${nope\n", r"^train\.py: seed: .*; \$\{ begins an interpolation, "),
        (b"seed: ${}\n", r"^train\.py: seed: .*; \$\{ begins an interpolation, "),
        (b"~: 1\n", r"^train\.py: Incompatible key type 'NoneType'$"),
    ],
)
def test_a_configuration_that_cannot_be_composed_is_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "experiment").mkdir()
    marked = content.startswith((b"\xef", b"\xff"))
    head = b"" if marked else b"# @package _global_\n"
    (tmp_path / "experiment" / "x.yaml").write_bytes(head + content)
    with pytest.raises(SpecError, match=message) as error:
        check(["experiment=x"], tmp_path)
    assert "\n" not in str(error.value)


def test_a_bug_of_ours_is_no_fault_of_a_configuration() -> None:
    with pytest.raises(ValueError, match=r"^ours$") as error, yaml_1_2([]):
        raise ValueError("ours")
    assert not isinstance(error.value, SpecError)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("=3", "=3: not of the form key=value or group=option"),
        ("resume=2024", "resume: 2024 is not accepted; expected a valid string; put it into quo"),
        ("resume=${x", "resume: no viable alternative at input '${x'; ${ begins an interpolation"),
    ],
)
def test_an_override_that_cannot_be_read_is_one_line(override: str, message: str) -> None:
    with pytest.raises(SpecError) as error:
        check([override])
    assert str(error.value).startswith(f"train.py: {message}")
