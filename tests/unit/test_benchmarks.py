"""The benchmarks run, say what they should, and hold their goals in small."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import (
    _fleet_runs,
    _fleet_trees,
    _fold_runs,
    _missing,
    ablations,
    fleet_parts,
    fleet_unseen,
    loading,
    moving_average,
    plan,
    scaling,
    stable_flag,
    store,
    training,
    unseen_parts,
    zema_folds,
)
from benchmarks.__main__ import main, names
from benchmarks._document import replace_section
from benchmarks._fleet_parts import Study
from benchmarks._rows import at_least, at_most
from benchmarks._usual_network import UsualNetwork
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from scipy import stats

from hydrascope.experiment.job_settings import validate_train
from hydrascope.schemas import HeadSpec, validate

ROOT = Path(__file__).parents[2]


def test_every_benchmark_is_found_by_its_name() -> None:
    known = {"ablations", "features", "loading", "moving_average", "plan", "scaling", "store"}
    assert known | {"training"} <= set(names())


def test_rows_are_one_json_object_each_and_the_exit_code_says_whether_goals_are_met(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [at_least("speed", 7.0, "×", 6), at_most("size", 2.0, "MB", 1)]
    monkeypatch.setattr(plan, "run", lambda: rows)
    with pytest.raises(SystemExit) as missed:
        main("plan", as_json=True)
    assert missed.value.code == 1
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert printed == rows
    assert [(row["goal"], row["ok"]) for row in printed] == [(6, True), (1, False)]
    monkeypatch.setattr(plan, "run", lambda: rows[:1])
    with pytest.raises(SystemExit) as met:
        main("plan", as_json=False)
    assert met.value.code == 0
    assert "≥ 6" in capsys.readouterr().out


def test_an_unknown_benchmark_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as refused:
        main("nothing")
    assert refused.value.code == 2
    assert "there are: all, " in capsys.readouterr().err


def write_run(folder: Path, seed: int, fold: int, accuracy: float, rows: int) -> None:
    heads = {head: {"accuracy": accuracy, "rows": rows} for head in zema_folds.HEADS}
    graded = {head: heads[head] for head in zema_folds.TARGETS}
    results = {"test": {"gatv2_arma": heads, "discriminant": graded}, "split": "unseen_conditions"}
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps({**results, "seed": seed, "fold": fold}))


def test_folds_are_pooled_by_their_windows_and_seeds_averaged(tmp_path: Path) -> None:
    for seed, first in ((1, 1.0), (2, 0.0)):
        for fold in range(5):
            accuracy, rows = (first, 600) if fold == 0 else (0.5, 100)
            write_run(tmp_path / f"{seed}_{fold}", seed, fold, accuracy, rows)
    row, discriminant = zema_folds.as_markdown(
        zema_folds.over_seeds(zema_folds.found_runs(tmp_path))
    ).splitlines()[2:]
    # (600 + 4 · 50) / 1000 of seed 1, 4 · 50 / 1000 of seed 2.
    pooled = f"{' 50.00 |' * 4} 50.00 (20.00 – 80.00)"
    assert row == f"| **gatv2_arma** |{pooled} | 50.00 |"
    assert discriminant == f"| discriminant |{pooled} | – |"  # a head that it does not answer


def test_what_missing_sensors_cost_is_pooled_over_folds_and_seeds(tmp_path: Path) -> None:
    classes = [{"value": value, "name": f"{value}"} for value in range(2)]
    spec = {"name": "pump", "level": "machine", "kind": "multi_class", "classes": classes}
    head = validate(HeadSpec, spec)

    def tally(right: int, wrong: int) -> dict[str, object]:
        bins = [0.0] * 15 * 3
        bins[13], bins[28], bins[43] = right + wrong, 0.9 * (right + wrong), right
        cells = [right, wrong, 0, 0]  # all are of the first class
        sums = {"metric": cells, "wrong": [wrong, 0.9 * wrong], "bins": bins}
        return {"missing": [], "heads": {"pump": {"rows": right + wrong, **sums}}}

    for folder, (right, rows) in {"a": (90, 100), "b": (10, 50)}.items():
        situations = [
            tally(rows, 0),
            tally(right, rows - right) | {"missing": ["rig/PS1"]},
            tally(rows, 0) | {"missing": ["rig/PS2"]},
            tally(0, rows) | {"missing": ["rig/PS1", "rig/PS2"]},
        ]
        (tmp_path / folder).mkdir()
        (tmp_path / folder / _missing.FILE).write_text(json.dumps({"gatv2_arma": situations}))
    models = _missing.pooled([tmp_path / "a", tmp_path / "b", tmp_path / "not there"])
    heading, _, row = _missing.as_markdown(models, [head]).splitlines()
    assert "one of 2 missing: mean" in heading
    # 100 of 150 without PS1, all without PS2; calibration: |0.9 − 250 / 300|, and 0.1.
    worst = "66.67 (pump without PS1)"
    assert row == f"| gatv2_arma | 100.00 | 83.33 | {worst} | 0.900 | 0.100 | 0.067 | 0.00 |"


def test_what_is_there_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _fold_runs.Plan(tmp_path, [1, 2], [0, 3], 5)
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(_fold_runs, "_run", lambda *command, log: ran.append(command))
    write_run(plan.run_dir(1, 0), 1, 0, 1.0, 10)
    kept = plan.run_dir(1, 0) / _missing.FILE
    kept.write_text(json.dumps({"gatv2_arma": []}))  # the discriminant is still to be judged
    write_run(plan.run_dir(2, 3), 2, 3, 1.0, 10)
    _fold_runs.train_all(plan, 1)
    trained = [command for command in ran if command[0] == "train.py"]
    asked = {"seed=1", "seed=2", "data.fold=0", "data.fold=3"}
    assert [asked & set(command) for command in trained] == [
        {"data.fold=3", "seed=1"},
        {"data.fold=0", "seed=2"},
    ]
    assert all("trainer.max_epochs=5" in each for each in trained)
    judged = [command for command in ran if command[0] == "-m"]
    assert [Path(each[2]).name for each in judged] == ["seed1_fold0", "seed1_fold3"]


def test_a_missing_or_repeated_fold_is_named(tmp_path: Path) -> None:
    for fold in range(4):
        write_run(tmp_path / str(fold), 1, fold, 1.0, 10)
    with pytest.raises(SystemExit, match="seed 1 lacks fold 4"):
        zema_folds.found_runs(tmp_path)
    write_run(tmp_path / "again", 1, 2, 1.0, 10)
    with pytest.raises(SystemExit, match="seed 1 has fold 2 twice"):
        zema_folds.found_runs(tmp_path)


@pytest.mark.slow
def test_loading_holds_its_goals_loosely_while_other_tests_run() -> None:
    rows = {row["name"]: row for row in loading.run(windows=600, repeats=5)}
    assert rows["store / PyG DataLoader"]["value"] > 3
    assert rows["store / pickles"]["value"] > 25
    assert rows["store / plain copy of the same windows"]["value"] > 0.4
    assert rows["store on disk / raw bytes"]["ok"]


def test_memory_is_flat_and_time_linear_over_more_than_fits_into_a_map() -> None:
    rows = {row["name"]: row["value"] for row in store._sizes((500, 6_000))}
    assert rows["6,000 windows: raw data"] > 240  # MB, more than is mapped
    assert rows["6,000 windows: memory growth, build and epoch"] < 150
    assert rows["exponent of build time over windows"] < 1.3


def test_a_small_fleet_is_planned_whole() -> None:
    rows = {row["name"]: row["value"] for row in plan.run(machines=20, windows=50)}
    assert rows["windows planned"] == 1000


def test_the_scaling_tables_say_what_fleets_cost() -> None:
    slopes = scaling.Slopes(41_100, 1e-3, 1e-5, 150, 16e3, 5e-3, 1e-3, 20_000)
    text = scaling.tables(slopes, plan.run(machines=10, windows=10))
    assert "| 1,000 | 4,380,000 | 180 GB | 73.1 min |" in text


@pytest.mark.parametrize("section", ["scaling", "serving", "false alarms"])
def test_the_results_have_a_section_for_each_writer(section: str, tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text((ROOT / "docs" / "results.md").read_text("utf-8"), encoding="utf-8")
    replace_section(page, section, "written")
    assert f"<!-- {section} -->\nwritten\n<!-- /{section} -->" in page.read_text("utf-8")


def test_the_slopes_are_measured() -> None:
    rows = scaling.run(sizes=(100, 400), machines=10)
    assert [row["name"].partition(":")[0] for row in rows] == ["a window"] * 4 + ["a machine"] * 4


@pytest.mark.parametrize("order", ["time_then_space", "space_then_time"])
def test_the_network_written_the_usual_way_answers_the_same(order: str) -> None:
    on = training.problem(graphs=3)
    ours = training.network(on, order=order)
    usual = UsualNetwork(ours)
    one, other = ours(on.inputs), usual(on.inputs)
    torch.testing.assert_close(one.heads, other.heads, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(one.arma.forecast, other.arma.forecast, rtol=1e-4, atol=1e-4)


def test_every_ablation_is_an_override_that_composes() -> None:
    trainings = {}
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for variant, overrides in ablations.VARIANTS.items():
            if overrides != ("task=single",):
                config = compose("train", ["run_dir=x", "experiment=zema", *overrides])
                settings = validate_train(OmegaConf.to_container(config, resolve=True))
                trainings[variant] = repr(settings)
    assert len(set(trainings.values())) == len(trainings)


@pytest.mark.parametrize("study", [fleet_parts.STUDY, unseen_parts.STUDY], ids=lambda s: s.name)
def test_every_part_on_the_fleet_is_an_override_that_composes(study: Study) -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        trainings = set()
        for overrides in study.variants.values():
            config = compose("train", ["run_dir=x", study.experiment, *overrides])
            trainings.add(repr(validate_train(OmegaConf.to_container(config, resolve=True))))
    assert len(trainings) == len(study.variants)


def test_differences_to_the_whole_are_paired_with_students_interval() -> None:
    whole = {(0, 1): 0.90, (1, 1): 0.80, (2, 1): 0.70, (3, 1): 0.60}
    ours = {(0, 1): 0.88, (1, 1): 0.79, (2, 1): 0.67}
    low, high = stats.ttest_rel([88, 79, 67], [90, 80, 70]).confidence_interval(0.95)
    assert ablations.difference(ours, whole) == (
        f"-2.00 [{low:+.2f}, {high:+.2f}] | no clear difference"
    )
    assert ablations.difference({}, whole) == "– | –"


def test_the_moving_average_term_forecasts_a_moving_average_better() -> None:
    # The whole comparison, with its interval, is `python -m benchmarks moving_average`.
    found = moving_average.compare("linear", seeds=range(10, 12), updates=150)
    assert all(0.98 < error < 1.6 for error in (*found.with_ma, *found.without_ma))
    assert min(found.gains) > 0.03


def test_the_flag_of_the_rig_follows_from_the_plan_of_its_trial() -> None:
    known, flag, fold = stable_flag.places()
    assert all(len(columns) == len(flag) == len(fold) == 2205 for columns in known.values())
    said = {row["name"]: row["value"] for row in stable_flag.run(trees=20)}
    most_frequent = 100 * max(flag.mean(), 1 - flag.mean())
    assert said["cycles its condition lasts in one piece"] > 90 > most_frequent


def test_a_model_of_the_fleet_is_a_row_and_what_it_does_not_answer_a_dash() -> None:
    results = {
        "test": {"ours": {"anomalies": {"macro_f1": 0.9}, "health": {"mae": 0.05}}},
        "localisation": {"judged": {"ours": {"top1": {"value": 0.75}}}},
    }
    found = _fleet_runs.figures(results, "ours")
    assert found.cells() == "0.900 | 0.050 | – | 0.750"


def test_areas_are_of_faults_that_are_there_and_not_everywhere() -> None:
    rows = np.array([1, 2, 3, 4])
    truth = {name: np.array([0.0, 0, 0, 1, 1]) for name in _fleet_trees.FAULTS}
    truth[_fleet_trees.FAULTS[0]] = np.zeros(5)
    said = {name: np.array([9.0, 0.1, 0.6, 0.5, 0.9]) for name in _fleet_trees.FAULTS}
    assert _fleet_trees.mean_auroc(truth, said, rows) == pytest.approx(0.75)


def test_held_out_kinds_have_a_mean_where_all_have_a_value() -> None:
    folds = {
        "a": {"ours": {"macro-F1": 0.4, "AUROC": None}},
        "b": {"ours": {"macro-F1": 0.6, "AUROC": 0.9}},
    }
    assert fleet_unseen._means(folds) == {"ours": {"macro-F1": pytest.approx(0.5), "AUROC": None}}
