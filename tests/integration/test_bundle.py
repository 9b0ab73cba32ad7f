"""What a bundle holds, what is refused, and where it can be put."""

import json
import pickle
import shutil
import subprocess
import zipfile
from pathlib import Path

import onnxruntime
import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jobs import ROOT, export_settings
from safetensors.torch import load_file, save_file

from hydrascope.experiment import export
from hydrascope.experiment.restore import checkpoint_file
from hydrascope.graphs.fields import WindowFields
from hydrascope.graphs.layout import GraphLayout, concatenate
from hydrascope.packaging.archive import pack, unpack
from hydrascope.packaging.bundle import Bundle, golden_difference, read_bundle
from hydrascope.packaging.card import model_card
from hydrascope.packaging.command import show, verify
from hydrascope.packaging.files import check_bundle
from hydrascope.packaging.manifest import sha256
from hydrascope.packaging.registry import fetch
from hydrascope.packaging.signature import check_signature, sign
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.fitness import PREFIX


@pytest.fixture(scope="module")
def opened(bundle: Path) -> Bundle:
    return read_bundle(bundle)


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def rehash(folder: Path, **changes: object) -> None:
    """Make the manifest agree with changed files, as someone who hides a change would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {name: sha256(folder / name) for name in manifest["files"]}
    (folder / "manifest.json").write_text(json.dumps(manifest | {"files": files} | changes))


def test_the_manifest_says_what_went_in(opened: Bundle, best: str, trained: Path) -> None:
    manifest = opened.manifest
    assert manifest.model == "gatv2_arma"
    assert [head.name for head in manifest.task.heads][:2] == ["cooler", "valve"]
    assert manifest.machines[0].topology.id == "zema_rig"
    assert manifest.window.window_s == 60.0
    assert manifest.thresholds == {"stable": 0.5}
    assert manifest.conformal is not None
    assert manifest.conformal.coverage == 0.98
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
        ("{", "[", "config.json is not JSON"),
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
    with pytest.raises(SpecError, match="schema version 4, accepted: 5; export its checkpoint"):
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


def test_an_archive_is_the_same_bundle_in_one_file(
    bundle: Path, opened: Bundle, tmp_path: Path
) -> None:
    pack(bundle, tmp_path / "rig.zip")
    pack(bundle, tmp_path / "again.zip")
    assert (tmp_path / "rig.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    assert read_bundle(tmp_path / "rig.zip").version == opened.version


@pytest.mark.parametrize("name", ["../escaped", "folder/file", "/absolute", "a\\b"])
def test_an_archive_that_would_write_elsewhere_is_refused(
    bundle: Path, tmp_path: Path, name: str
) -> None:
    pack(bundle, tmp_path / "rig.zip")
    with zipfile.ZipFile(tmp_path / "rig.zip", "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(name), "x")
    with pytest.raises(SpecError, match="expected files"):
        read_bundle(tmp_path / "rig.zip")


def test_compressed_and_broken_archives_are_refused(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b"0" * 10**6)
    with pytest.raises(SpecError, match="compressed"):
        read_bundle(tmp_path / "bomb.zip")
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(SpecError, match="cannot be unpacked"):
        read_bundle(tmp_path / "text.zip")


def keys(folder: Path, name: str) -> tuple[Path, Path]:
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def test_a_signature_holds_for_its_key_and_content_alone(copy: Path, tmp_path: Path) -> None:
    (private, public), (_, other) = keys(tmp_path, "ours"), keys(tmp_path, "theirs")
    with pytest.raises(SpecError, match="is not signed"):
        check_bundle(copy, public)
    content = (copy / "manifest.json").read_bytes()
    (copy / "signature.ed25519").write_bytes(sign(content, private))
    check_bundle(copy, public)
    with pytest.raises(SpecError, match="not that of the key"):
        check_bundle(copy, other)
    rehash(copy, hydrascope="9.9.9")
    check_bundle(copy)  # consistent in itself, but not what was signed
    with pytest.raises(SpecError, match="not that of the key"):
        check_bundle(copy, public)
    for wrong in (private, copy / "model_card.md", tmp_path / "missing"):
        with pytest.raises(SpecError, match="verify_key"):
            check_signature(content, b"", wrong)
    with pytest.raises(SpecError, match="sign_key"):
        sign(content, public)


def test_the_gate_stops_what_is_too_bad_and_names_it(light: str, tmp_path: Path) -> None:
    gate = "gate={valve:{accuracy:1.01,mae:-0.1},pump:{accuracy:0.0},lamp:{accuracy:0.5}}"
    with pytest.raises(SpecError) as refused:
        export.run(export_settings(light, tmp_path / "out", gate))
    text = str(refused.value)
    assert "gate.valve.accuracy" in text
    assert "at least 1.01" in text
    assert "gate.valve.mae" in text
    assert "at most -0.1" in text
    assert "gate.lamp.accuracy: there is no such metric; accepted: cooler.accuracy" in text
    assert "gate.pump" not in text
    assert list(tmp_path.iterdir()) == []


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
    # A golden answer that this machine does not give.
    golden = load_file(copy / "golden.safetensors")
    golden["answers.stable"] = golden["answers.stable"] + 0.01
    save_file(golden, copy / "golden.safetensors")
    rehash(copy)
    with pytest.raises(SpecError, match=r"golden answers differ by 0\.01"):
        verify(copy, None)


def test_a_signed_archive_with_onnx_is_fetched_from_the_registry_by_its_alias(
    light: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = keys(tmp_path, "ours")
    uri = f"sqlite:///{tmp_path / 'registry.db'}"
    export.run(
        export_settings(
            light,
            tmp_path / "rig.zip",
            "onnx=true",
            f"sign_key={private}",
            "registry=mlflow",
            "alias=champion",
            f"uri={uri}",
            f"artifacts={tmp_path / 'artifacts'}",
        )
    )
    for number, name in enumerate(("models:/zema@champion", "models:/zema/1")):
        (tmp_path / str(number)).mkdir()
        fetched = fetch(name, uri, tmp_path / str(number))
        assert sha256(fetched) == sha256(tmp_path / "rig.zip")
        verify(fetched, public)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with checkpoint_file(name) as checkpoint:  # what evaluate.py ckpt=models:/… reads
            assert sha256(checkpoint) == sha256(Path(light))
    for wrong in ("models:/zema@nobody", "models:/other/1", "models:/zema"):
        with pytest.raises(SpecError, match="bundle: 'models:/"):
            fetch(wrong, uri, tmp_path)

    (tmp_path / "rig").mkdir()
    unpack(tmp_path / "rig.zip", tmp_path / "rig")
    shipped = read_bundle(tmp_path / "rig")
    session = onnxruntime.InferenceSession(tmp_path / "rig" / "model.onnx")
    wanted = {each.name for each in session.get_inputs()}
    fields = shipped.golden._asdict()
    answers = session.run(None, {name: fields[name].numpy() for name in wanted})
    outputs = {each.name for each in session.get_outputs()}
    assert outputs == {n for n in shipped.golden_answers if not n.startswith(PREFIX)}
    for output, answer in zip(session.get_outputs(), answers, strict=True):
        expected = shipped.golden_answers[output.name]
        torch.testing.assert_close(torch.from_numpy(answer), expected, atol=1e-4, rtol=0)
