"""Writing a bundle: exported, proven equal, and only then put in its place."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from safetensors.torch import save_file
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs, SensorReference
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.models.recipe import DiagnoserRecipe, tensors_of
from hydrascope.packaging import archive, parity
from hydrascope.packaging.bundle import read_diagnoser
from hydrascope.packaging.card import model_card
from hydrascope.packaging.files import (
    CARD,
    CONFIG,
    GOLDEN,
    MANIFEST,
    ONNX,
    REFERENCES,
    SIGNATURE,
    WEIGHTS,
    check_bundle,
)
from hydrascope.packaging.manifest import Manifest, sha256
from hydrascope.packaging.references import save_references
from hydrascope.packaging.signature import sign
from hydrascope.schemas.errors import SpecError


@dataclass(frozen=True)
class WriteOptions:
    """What a bundle holds beside what every bundle holds.

    Attributes:
        onnx: Also the model as an ONNX model, proven equal in ONNX Runtime.
        sign_key: Private key (Ed25519, PEM) that signs the manifest.
    """

    onnx: bool = False
    sign_key: Path | None = None


def write_bundle(
    path: Path,
    diagnoser: Diagnoser,
    recipe: DiagnoserRecipe,
    manifest: Manifest,
    golden: list[GraphInputs],
    references: Mapping[str, SensorReference],
    options: WriteOptions = WriteOptions(),
) -> Manifest:
    """Write a bundle and return its manifest.

    Args:
        path: Where the bundle goes; must not exist. A name that ends in `.zip` makes one file of
            it.
        diagnoser: Trained, on the CPU.
        recipe: What it is built from again.
        manifest: With `parity` and `files` still empty; they are measured here.
        golden: Batches of test windows; the first has at least two graphs and travels along.
        references: Of the manifest's machines, by equipment id; empty where they have none.
        options: What else goes in.

    Raises:
        SpecError: The path exists, or an answer of what was written differs by more than
            `parity.LIMIT`.
    """
    if path.exists():
        raise SpecError(f"{str(path)!r} exists; choose a new folder", path="output")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    folder = part / "bundle"
    folder.mkdir()
    try:
        worst = _write_model(folder, diagnoser, recipe, golden, onnx=options.onnx)
        save_file(_golden_tensors(diagnoser, golden[0]), folder / GOLDEN)
        if references:
            save_references(folder / REFERENCES, manifest.machines, references)
        manifest = manifest.model_copy(update={"parity": worst})
        manifest = _write_manifest(folder, manifest, options.sign_key)
        for file in folder.iterdir():
            file.chmod(0o644)  # safetensors makes files that only their owner may read
        check_bundle(folder)
        if path.suffix == archive.SUFFIX:
            archive.pack(folder, part / path.name)
            (part / path.name).rename(path)
        else:
            folder.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest


def _write_model(
    folder: Path,
    diagnoser: Diagnoser,
    recipe: DiagnoserRecipe,
    golden: list[GraphInputs],
    *,
    onnx: bool,
) -> float:
    """Write the model; return the largest difference between its answers and those written of."""
    (folder / CONFIG).write_text(recipe.model_dump_json(indent=2) + "\n", encoding="utf-8")
    save_file(_apart(tensors_of(diagnoser)), folder / WEIGHTS)
    # What is compared is what will be read.
    worst = largest_difference(diagnoser, read_diagnoser(folder), golden)
    if onnx:
        from hydrascope.packaging.onnx_model import write_onnx

        worst = max(worst, write_onnx(folder / ONNX, diagnoser, golden))
    if not worst <= parity.LIMIT:
        raise SpecError(
            f"the answers of the bundle and of its checkpoint differ by {worst:.2g}; "
            f"accepted: at most {parity.LIMIT:g}",
            path="export",
        )
    return worst


def _write_manifest(folder: Path, manifest: Manifest, sign_key: Path | None) -> Manifest:
    """Write the card and the manifest of all files, and sign it; return what was written."""
    (folder / CARD).write_text(model_card(manifest), encoding="utf-8")
    files = {file.name: sha256(file) for file in sorted(folder.iterdir())}
    manifest = manifest.model_copy(update={"files": files})
    content = (manifest.model_dump_json(indent=2) + "\n").encode()
    (folder / MANIFEST).write_bytes(content)
    if sign_key is not None:
        (folder / SIGNATURE).write_bytes(sign(content, sign_key))
    return manifest


def largest_difference(
    diagnoser: Diagnoser, other: Diagnoser, batches: Sequence[GraphInputs]
) -> float:
    """Return the largest absolute difference between the answers of two diagnosers."""
    return max(parity.difference(other.predict(each), diagnoser.predict(each)) for each in batches)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies, because safetensors refuses tensors that share their memory."""
    return {name: tensor.clone().contiguous() for name, tensor in tensors.items()}


def _golden_tensors(diagnoser: Diagnoser, batch: GraphInputs) -> dict[str, Tensor]:
    inputs = {f"inputs.{name}": tensor.contiguous() for name, tensor in batch._asdict().items()}
    answers = {f"answers.{name}": value for name, value in diagnoser.predict(batch).items()}
    return inputs | answers
