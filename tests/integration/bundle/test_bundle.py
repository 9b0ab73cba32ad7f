"""The content of a bundle, refused bundles, and what a bundle computes."""

import json
import pickle
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from bundle_files import rehash
from jobs import ROOT
from safetensors.torch import load_file, save_file

from hydrascope.graphs.fields import WindowFields
from hydrascope.graphs.layout import GraphLayout, concatenate
from hydrascope.packaging.bundle import Bundle, golden_difference, read_bundle
from hydrascope.packaging.card import model_card
from hydrascope.packaging.command import show, verify
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import NormalitySpec


def test_the_manifest_says_what_went_in(opened: Bundle, best: str, trained: Path) -> None:
    manifest = opened.manifest
    assert manifest.model == "gatv2_arma"
    assert [head.name for head in manifest.task.heads][:2] == ["cooler", "valve"]
    assert manifest.machines[0].topology.id == "zema_rig"
    assert manifest.window.window_s == 60.0
    assert manifest.thresholds == {"stable": 0.5}
    assert manifest.conformal is not None
    assert manifest.conformal.coverage == 0.99
    assert manifest.conformal.margins.keys() == {head.name for head in manifest.task.heads}
    assert opened.diagnoser.normalizer.center.shape[1] == 10  # of each step by itself
    tested = json.loads((trained / "results.json").read_text())["test"]["gatv2_arma"]
    assert manifest.metrics.heads == tested
    assert (manifest.metrics.split, manifest.metrics.windows) == ("unseen_conditions", 440)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if head.returncode == 0:
        assert manifest.git_commit is not None
        assert manifest.git_commit.removesuffix("-dirty") == head.stdout.strip()


def test_a_bundle_is_json_safetensors_and_markdown_and_names_no_path_of_who_made_it(
    bundle: Path,
) -> None:
    assert {file.suffix for file in bundle.iterdir()} == {".json", ".safetensors", ".md"}
    home = str(ROOT).encode()
    for file in bundle.iterdir():
        assert home not in file.read_bytes(), file.name
    for file in bundle.glob("*.json"):
        json.loads(file.read_text())


@pytest.mark.parametrize("damage", ["flip", "remove", "add", "schema", "no json", "not listed"])
def test_a_damaged_bundle_is_refused(copy: Path, damage: str) -> None:
    weights, manifest = copy / "model.safetensors", copy / "manifest.json"
    match damage:
        case "flip":
            content = bytearray(weights.read_bytes())
            content[-1] ^= 1
            weights.write_bytes(content)
        case "remove":
            weights.unlink()
        case "add":
            (copy / "extra.pkl").write_bytes(b"")
        case "schema":
            rehash(copy, schema_version=1)
        case "no json":
            manifest.write_text("{")
        case "not listed":
            (copy / "model_card.md").unlink()
            listed = json.loads(manifest.read_text())["files"]
            del listed["model_card.md"]
            manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"files": listed}))
    with pytest.raises(SpecError, match="bundle: "):
        read_bundle(copy)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("hydrascope.models.network.UniversalTemporalGNN", "os.system", "'os.system' is not accep"),
        (
            "hydrascope.models.network.UniversalTemporalGNN",
            "mine.Network",
            "No module named 'mine'",
        ),
        ("hydrascope.models.network.UniversalTemporalGNN", "plain", "'plain' is not accepted"),
        ('"hidden_channels": 16', '"hidden_channels": 17', "hidden_channels"),
        ('"hidden_channels": 16', '"hidden_channels": 32', "size mismatch"),
        ('"hidden_channels": 16', '"hidden_channel": 16', "did you mean 'hidden_channels'"),
        ('"method": "standardize"', '"method": "guess"', "config.json: normaliser.method: 'guess'"),
        ("{", "[", "not JSON"),
    ],
)
def test_a_configuration_that_builds_no_model_of_these_weights_is_refused_though_its_hash_is_right(
    copy: Path, old: str, new: str, fault: str
) -> None:
    text = (copy / "config.json").read_text()
    assert old in text
    (copy / "config.json").write_text(text.replace(old, new, 1))
    rehash(copy)
    with pytest.raises(SpecError, match=f"bundle: .*{fault}"):
        read_bundle(copy)


def test_a_bundle_of_an_older_version_is_refused_with_what_to_do(copy: Path) -> None:
    rehash(copy, schema_version=4)
    with pytest.raises(SpecError, match="schema version 4, accepted: 10; export its checkpoint"):
        read_bundle(copy)


def test_a_pickle_in_place_of_any_file_is_refused(bundle: Path, tmp_path: Path) -> None:
    pickled = pickle.dumps({"weights": [1.0]})
    for name in ("config.json", "model.safetensors", "golden.safetensors"):
        copy = Path(shutil.copytree(bundle, tmp_path / name))
        (copy / name).write_bytes(pickled)
        rehash(copy)
        with pytest.raises(SpecError, match=f"bundle: .*{name}"):
            read_bundle(copy)


def test_any_number_of_graphs_components_sensors_and_lines_runs(opened: Bundle) -> None:
    machine, spec = opened.manifest.machines[0], opened.manifest.input_spec
    topology = machine.topology
    run = opened.diagnoser.plain
    # The rig without some of its sensors, down to none; and a part of it that has no line at all.
    fewer = [
        topology.model_copy(
            update={
                "components": tuple(
                    each.model_copy(update={"sensors": each.sensors[:keep]})
                    for each in topology.components
                )
            }
        )
        for keep in (0, 1)
    ]
    alone = topology.model_copy(update={"components": topology.components[:1], "edges": ()})
    heads = opened.manifest.task.heads
    for graphs in (1, 2, 7, 64):
        batches = []
        for each in (topology, *fewer, alone):
            layout = GraphLayout.of(each, spec, heads)
            shape = (graphs, layout.num_sensors, spec.steps)
            nothing = opened.golden.edge_dynamic.new_zeros
            batches.append(
                layout.batch(
                    WindowFields(
                        nothing(*shape, len(spec.feature_names)),
                        torch.ones(shape, dtype=torch.bool),
                        nothing(graphs, layout.edge_index.shape[1], spec.steps, 0),
                        nothing(graphs, layout.edge_index.shape[1], spec.steps, 0).bool(),
                        nothing(graphs, spec.steps, 0),
                        nothing(graphs, spec.steps, 0).bool(),
                    )
                )
            )
        single = [run(batch) for batch in batches]
        together = run(concatenate(batches))
        for name, answer in together.items():
            assert answer.isfinite().all()
            torch.testing.assert_close(
                answer, torch.cat([each[name] for each in single]), atol=1e-5, rtol=0
            )


def test_verify_runs_the_golden_example_and_show_prints_the_card(
    bundle: Path, opened: Bundle, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify(bundle, None)
    assert f"version {opened.version}" in capsys.readouterr().out
    assert golden_difference(opened) <= 1e-5
    show(bundle, as_json=True)
    assert json.loads(capsys.readouterr().out)["task"]["name"] == "zema"
    show(bundle, as_json=False)
    assert "unseen_conditions" in capsys.readouterr().out
    card = model_card(opened.manifest)
    assert "| pump | component | multi_class | main_pump | leakage grade |" in card
    assert "Mahalanobis" not in card
    task = opened.manifest.task.model_copy(update={"normality": NormalitySpec()})
    both = opened.manifest.model_copy(update={"task": task})
    assert "by the Mahalanobis distance of each step, which was fitted" in model_card(both)
    # A golden answer that this machine does not give.
    golden = load_file(copy / "golden.safetensors")
    golden["answers.stable"] = golden["answers.stable"] + 0.01
    save_file(golden, copy / "golden.safetensors")
    rehash(copy)
    with pytest.raises(SpecError, match=r"golden answers differ by 0\.01"):
        verify(copy, None)
