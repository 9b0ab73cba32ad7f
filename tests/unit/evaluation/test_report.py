"""Test metrics on their way to files and people."""

import json
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console
from sklearn import metrics as oracle

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.predictions import HeadPredictions, predict
from hydrascope.evaluation.report import comparison, comparison_table, head_metrics, write_json
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.models.config import NetworkConfig
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.network import UniversalTemporalGNN
from hydrascope.schemas import HeadSpec, validate

HEADS = [
    validate(HeadSpec, fields)
    for fields in (
        {
            "name": "valve",
            "level": "machine",
            "kind": "multi_class",
            "classes": [{"value": v, "name": f"{v} %"} for v in (73, 80, 100)],
        },
        {"name": "wear", "level": "machine", "kind": "regression"},
        {"name": "stable", "level": "machine", "kind": "binary"},
    )
]


def test_the_metrics_of_a_head_come_with_the_number_of_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    graded = torch.rand(30, 3, generator=generator)
    classes = torch.randint(0, 3, (30, 1), generator=generator).float()
    wear = torch.randn(20, 1, generator=generator)
    results = head_metrics(
        HEADS,
        {
            "valve": HeadPredictions(graded, classes),
            "wear": HeadPredictions(wear + 0.1, wear),
            "stable": HeadPredictions(torch.zeros(0, 1), torch.zeros(0, 1)),
        },
    )
    accuracy = oracle.accuracy_score(classes[:, 0].numpy(), graded.argmax(1).numpy())
    assert results["valve"]["accuracy"] == pytest.approx(accuracy)
    assert results["valve"]["rows"] == 30
    assert results["wear"]["mae"] == pytest.approx(0.1, rel=1e-4)
    assert results["wear"]["rows"] == 20
    assert results["stable"] == {"rows": 0}


def printed(models: dict[str, dict[str, dict[str, float]]]) -> list[list[str]]:
    console = Console(width=120, record=True, file=StringIO())
    console.print(comparison_table("Test set", HEADS, models))
    lines = console.export_text().splitlines()
    return [[cell.strip() for cell in line.strip("│┃").split("│")] for line in lines if "│" in line]


def test_a_table_shows_each_heads_primary_metric_for_each_model() -> None:
    rows = printed(
        {
            "gatv2_arma": {
                "valve": {"accuracy": 0.98765, "mae": 1.0},
                "wear": {"r2": 0.5, "mae": 3.0},
                "stable": {"accuracy": 1.0},
            },
            "LDA": {"valve": {"accuracy": 0.9}, "stable": {"rows": 0}},
        }
    )
    assert rows == [
        ["valve", "accuracy", "98.77 %", "90.00 %"],
        ["wear", "r2", "0.500", "–"],
        ["stable", "accuracy", "100.00 %", "–"],
    ]


def test_the_best_model_of_a_row_is_bold_and_so_are_its_equals() -> None:
    models = {
        name: {"valve": {"accuracy": accuracy}}
        for name, accuracy in (("one", 0.9), ("two", 0.8), ("three", 0.9))
    }
    table = comparison_table("Test set", HEADS[:1], models)
    cells = [next(iter(column.cells)) for column in table.columns[2:]]
    assert cells == ["[bold]90.00 %[/bold]", "80.00 %", "[bold]90.00 %[/bold]"]


def test_a_model_that_is_ahead_and_what_is_not_installed_stand_below_the_table() -> None:
    models = {
        "gatv2_arma": {
            "valve": {"accuracy": 0.9},
            "wear": {"r2": 0.5},
            "stable": {"accuracy": 1.0},
        },
        "LightGBM": {"valve": {"accuracy": 0.95}, "wear": {"r2": 0.5001}},
        "ridge": {"wear": {"r2": 0.75}},
    }
    assert comparison(HEADS, models)["verdicts"] == [
        "LightGBM is ahead on head valve by 5.00 points of accuracy",
        "ridge is ahead on head wear by 0.250 of r2",
    ]
    level = {name: {"wear": {"r2": r2}} for name, r2 in (("own", 0.5), ("ridge", 0.5003))}
    assert comparison(HEADS, level)["verdicts"] == []
    console = Console(width=120, record=True, file=StringIO())
    remark = "LightGBM is not installed; accepted: pip install 'hydrascope[lightgbm]'"
    console.print(comparison_table("Test set", HEADS, models, [remark]))
    below = " ".join(console.export_text().split())
    assert "ridge is ahead on head wear by 0.250 of r2" in below
    assert "'hydrascope[lightgbm]'" in below


def test_a_head_without_r2_is_named_below_the_table() -> None:
    errors = {"mae": 1.0, "rmse": 2.0, "rows": 9}
    found = comparison(HEADS, {"own": {"wear": errors}, "ridge": {"wear": errors}})
    assert found["verdicts"] == [
        "head wear: all test labels are one value, so R² is undefined; judge it by mae and rmse, "
        "or choose test windows whose labels differ"
    ]
    assert [row["values"] for row in found["rows"] if row["head"] == "wear"] == [[None, None]]


def test_results_are_written_sorted_and_replace_an_older_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json(path, {"old": "x" * 1000})
    content = {"test": {"valve": {"mae": 0.25, "accuracy": 1.0}}, "best_epoch": 7, "unit": "°C"}
    write_json(path, content)
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == content
    assert text.endswith("}\n")
    assert text.index("accuracy") < text.index("mae")
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_predictions_keep_the_labelled_rows_of_all_batches_in_order(
    rig: HydraulicDataModule,
) -> None:
    torch.manual_seed(0)
    heads = rig.task.heads
    config = validate(NetworkConfig, {"hidden_channels": 16, "attention_heads": 2})
    normalizer = FeatureNormalizer(17, 10, len(rig.input_spec.feature_names), True, 20.0)
    normalizer.fit(rig.training_parts(normalizer))
    diagnoser = TensorDiagnoser(normalizer, UniversalTemporalGNN(config, rig.input_spec, heads))
    kept = predict(diagnoser, rig.val_dataloader())
    windows = rig.split.val.tolist()
    everything = diagnoser.predict(rig.dataset.__getitems__(windows).inputs)
    valve = rig.machines["zema"].topology.component_index["valve"]
    torch.testing.assert_close(kept["valve"].prediction, everything["valve"][valve::10])
    torch.testing.assert_close(kept["stable"].prediction, everything["stable"])
    assert kept["stable"].target[:, 0].tolist() == rig.table["stable"].iloc[windows].tolist()
    assert kept["valve"].target.shape == (len(windows), 1)
    assert not any(rows.target.isnan().any() for rows in kept.values())
