"""A training from Python is the one of the command line, and gives back what it found."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from frames import READING
from jobs import QUICK, small, train_settings

from hydrascope import FeatureConfig, NetworkConfig, SpecError, TaskSpec, TrainingRun, fit
from hydrascope.experiment.python_call import settings_of_call
from hydrascope.models.config import NetworkConfig as OurNetwork
from hydrascope.schemas.yaml_file import load_yaml

FEW = ("trainer.max_epochs=1", "hardware.threads=1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    folder = tmp_path_factory.mktemp("fit") / "run"
    return fit(*small(*QUICK), *FEW, run_dir=folder, quiet=True)


def test_keywords_compose_what_overrides_compose(tmp_path: Path) -> None:
    words = ["model=gatv2_lstm", "trainer.max_epochs=2", "data.fold=1", "tracking=none", "seed=7"]
    by_words = train_settings("experiment=zema", *words, f"run_dir={tmp_path}")
    given = {
        "model": "gatv2_lstm",
        "trainer": {"max_epochs": 2},
        "data": {"fold": 1},
        "tracking": "none",
        "seed": 7,
        "resume": None,
        "run_dir": tmp_path,
    }
    assert settings_of_call(["experiment=zema"], given, None) == by_words


def test_a_group_may_be_an_object_of_its_own_class(tmp_path: Path) -> None:
    features = FeatureConfig(use_frequency=False, window_sizes=(3,), normalization="robust")
    network = NetworkConfig(hidden_channels=32, spatial_layers=1)
    task = TaskSpec.model_validate(
        {"name": "cooling", "heads": [{"name": "stable", "level": "machine", "kind": "binary"}]}
    )
    given = {"features": features, "model": network, "task": task, "run_dir": str(tmp_path)}
    settings = settings_of_call(["experiment=zema"], given, None)
    assert (settings.features, settings.task) == (features, task)
    assert OurNetwork.model_validate(settings.model.keys) == network


def test_a_run_without_a_name_gets_a_new_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = {settings_of_call([], {}, None).run_dir for _ in range(2)}
    assert len(folders) == 2
    for folder in folders:
        assert Path(folder).is_dir()
        assert Path(folder).parts[:2] == ("outputs", "train")


def test_files_of_ones_own_come_first(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    keys = {**load_yaml(Path("conf/model/mlp.yaml")), "name": "mine"}
    (tmp_path / "model" / "mine.yaml").write_text(json.dumps(keys))
    settings = settings_of_call(["model=mine"], {"run_dir": "x"}, tmp_path)
    assert settings.model.name == "mine"


@pytest.mark.parametrize(
    ("overrides", "given", "fault"),
    [
        ([], {"trainer": {"epochs": 2}}, r"trainer.epochs: no such key; accepted: strategy, "),
        ([], {"trainer": {"max_epochs": 0}}, r"trainer.max_epochs: 0 is not accepted; expected gr"),
        ([], {"modl": "mlp"}, r"modl: no such key; accepted: .*did you mean 'model'"),
        ([], {"model": "mlpp"}, r"model=mlpp: no such option; accepted: arma, "),
        (["sweep=tpe"], {}, r"sweep: takes the command line"),
        ([], {"lr_find": True}, r"lr_find: true is no training; accepted: false"),
        (["nonsense"], {}, r"nonsense: not of the form key=value"),
        ([], {"model": 5}, r"model=5: no such option; accepted: arma, "),
        ([5], {}, r"overrides\[0\]: 5 is not accepted; expected a valid string"),
        ([], {"config_dir": 5}, r"config_dir: 5 is not accepted; expected a path"),
    ],
)
def test_what_is_wrong_is_one_line(
    overrides: list[str], given: dict[str, object], fault: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match=f"^fit: {fault}") as refused:
        fit(*overrides, run_dir=tmp_path / "none", **given)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "none").exists()


def test_wrong_data_are_named_once_the_training_has_begun(tmp_path: Path) -> None:
    source = {"source": {"folder": str(tmp_path)}}
    with pytest.raises(SpecError, match=r"(?s)^fit: .*PS1\.txt: no such file"):
        fit(*small(*QUICK), data=source, run_dir=tmp_path / "run", quiet=True)


def test_a_damaged_checkpoint_is_one_line_of_an_evaluation(
    run: TrainingRun, tmp_path: Path
) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(run.folder, folder)
    (folder / "checkpoints" / "best.ckpt").write_bytes(b"damaged")
    moved = TrainingRun(folder)
    moved.settings = run.settings
    with pytest.raises(SpecError, match=r"^evaluate: .*best\.ckpt"):
        moved.evaluate(quiet=True)


def test_a_folder_of_files_that_is_not_there_is_named() -> None:
    with pytest.raises(SpecError, match=r"^config_dir: 'nowhere' is not accepted; expected a f"):
        fit(config_dir="nowhere")


def test_results_are_those_that_the_run_wrote(run: TrainingRun) -> None:
    written = json.loads((run.folder / "results.json").read_text())["test"]["gatv2_arma"]
    found = run.results.set_index(["model", "head"])
    assert len(found) == len(written) == 5
    for head, metrics in written.items():
        for metric, value in metrics.items():
            assert found.loc[("gatv2_arma", head), metric] == value
    again = TrainingRun(str(run.folder))
    pd.testing.assert_frame_equal(again.results, run.results)
    assert again.settings == run.settings
    assert run.settings.trainer.max_epochs == 1


def test_a_run_answers_and_explains_frames(run: TrainingRun, wide: pd.DataFrame) -> None:
    answers = run.predict(wide, reading=READING)
    pd.testing.assert_frame_equal(answers, run.diagnoser.predict(wide, reading=READING))
    drivers = run.explain(wide.iloc[:60], heads=["cooler"], reading=READING)
    assert len(drivers) == 17


def test_an_evaluation_says_what_the_training_said_with_intervals(
    run: TrainingRun, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = run.evaluate(quiet=True)
    assert capsys.readouterr().out == ""
    assert (run.folder / "evaluation" / "report.html").is_file()
    results = run.results.set_index("head")
    for row in judged.itertuples():
        assert row.value == pytest.approx(results.loc[row.head, row.metric])
        assert np.isnan(row.low) or row.low <= row.value <= row.high
    assert set(judged["head"]) == set(results.index)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^folder: .* holds no results.json; expected the folder"):
        TrainingRun(tmp_path)


def test_a_second_run_is_not_given_the_folder_of_the_first_and_what_is_refused_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first" / "checkpoints").mkdir(parents=True)
    with pytest.raises(SpecError, match="run_dir: 'first' is the folder of another run"):
        fit(run_dir="first", tracking="none")
    with pytest.raises(SpecError, match="no such file"):
        fit("data.source.folder=nowhere", tracking="none", quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["first"]
