"""Archives, signatures, the gate and the registry of bundles."""

import zipfile
from pathlib import Path

import onnxruntime
import pytest
import torch
from bundle_files import rehash
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jobs import export_settings

from hydrascope.experiment import export
from hydrascope.experiment.restore import checkpoint_file
from hydrascope.packaging.archive import pack, unpack
from hydrascope.packaging.bundle import Bundle, read_bundle
from hydrascope.packaging.command import verify
from hydrascope.packaging.files import check_bundle
from hydrascope.packaging.manifest import sha256
from hydrascope.packaging.registry import fetch
from hydrascope.packaging.signature import check_signature, sign
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.fitness import PREFIX


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


def test_a_signed_archive_is_fetched_from_the_registry_by_its_alias(
    light: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = keys(tmp_path, "ours")
    uri = f"sqlite:///{tmp_path / 'registry.db'}"
    export.run(
        export_settings(
            light,
            tmp_path / "rig.zip",
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


@pytest.mark.slow
def test_the_onnx_model_of_an_archive_gives_its_golden_answers(light: str, tmp_path: Path) -> None:
    export.run(export_settings(light, tmp_path / "rig.zip", "onnx=true"))
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
