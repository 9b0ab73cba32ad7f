"""The benchmarks run, say what they should, and hold their goals in small."""

import json
from pathlib import Path

import pytest
from benchmarks import loading, plan, scaling, store, zema_folds
from benchmarks.__main__ import main, names
from benchmarks._rows import at_least, at_most

ROOT = Path(__file__).parents[2]


def test_every_benchmark_is_found_by_its_name() -> None:
    assert {"features", "loading", "plan", "scaling", "store"} <= set(names())


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
    results = {"test": {"network": heads}, "split": "unseen_conditions"}
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps({**results, "seed": seed, "fold": fold}))


def test_folds_are_pooled_by_their_windows_and_seeds_averaged(tmp_path: Path) -> None:
    for seed, first in ((1, 1.0), (2, 0.0)):
        for fold in range(5):
            accuracy, rows = (first, 600) if fold == 0 else (0.5, 100)
            write_run(tmp_path / f"{seed}_{fold}", seed, fold, accuracy, rows)
    (row,) = zema_folds.as_markdown(
        zema_folds.over_seeds(zema_folds.found_runs(tmp_path))
    ).splitlines()[2:]
    # (600 + 4 · 50) / 1000 of seed 1, 4 · 50 / 1000 of seed 2.
    assert row == f"| **gatv2_arma** |{' 50.00 |' * 4} 50.00 (20.00 – 80.00) | 50.00 |"


def test_a_missing_or_repeated_fold_is_named(tmp_path: Path) -> None:
    for fold in range(4):
        write_run(tmp_path / str(fold), 1, fold, 1.0, 10)
    with pytest.raises(SystemExit, match="seed 1 lacks fold 4"):
        zema_folds.found_runs(tmp_path)
    write_run(tmp_path / "again", 1, 2, 1.0, 10)
    with pytest.raises(SystemExit, match="seed 1 has fold 2 twice"):
        zema_folds.found_runs(tmp_path)


def test_loading_holds_its_goals_loosely_while_other_tests_run() -> None:
    rows = {row["name"]: row for row in loading.run(windows=600, repeats=5)}
    assert rows["store / PyG DataLoader"]["value"] > 3
    assert rows["store / pickles"]["value"] > 25
    assert rows["store / plain copy of the same windows"]["value"] > 0.4
    assert rows["store on disk / raw bytes"]["ok"]


def test_memory_is_flat_and_time_linear_over_more_than_fits_into_a_map() -> None:
    rows = {row["name"]: row["value"] for row in store._sizes((500, 6_000))}
    assert rows["6,000 windows: raw data"] > 240  # MB, more than is mapped
    assert rows["6,000 windows: memory growth, build and epoch"] < 100
    assert rows["exponent of build time over windows"] < 1.3


def test_a_small_fleet_is_planned_whole() -> None:
    rows = {row["name"]: row["value"] for row in plan.run(machines=20, windows=50)}
    assert rows["windows planned"] == 1000


def test_the_scaling_page_says_what_fleets_cost() -> None:
    slopes = scaling.Slopes(41_100, 1e-3, 1e-5, 150, 16e3, 5e-3, 1e-3, 20_000)
    text = scaling.page(slopes, plan.run(machines=10, windows=10))
    assert "| 1,000 | 4,380,000 | 180 GB | 73.1 min |" in text
    assert (ROOT / "docs" / "scaling.md").read_text().splitlines()[0] == text.splitlines()[0]


@pytest.mark.slow
def test_the_slopes_are_measured() -> None:
    rows = scaling.run(sizes=(100, 400), machines=10)
    assert [row["name"].partition(":")[0] for row in rows] == ["a window"] * 4 + ["a machine"] * 4
