"""Writing a bundle: it is moved to its place only after its answers have been compared."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs, SensorReference
from hydrascope.models.any_build import for_any_build
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.recipe import DiagnoserRecipe, Parts, load_diagnoser, tensors_of
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
    """The optional contents of a bundle.

    Attributes:
        onnx: Whether to add an ONNX model, whose answers are compared in ONNX Runtime.
        sign_key: Private key (Ed25519, PEM) that signs the manifest.
    """

    onnx: bool = False
    sign_key: Path | None = None


class Contents(NamedTuple):
    """What a bundle consists of."""

    diagnoser: TensorDiagnoser
    """Trained, on the CPU."""
    recipe: DiagnoserRecipe
    """What the diagnoser can be rebuilt from."""
    manifest: Manifest
    """The manifest; `parity` and `files` are filled in when the bundle is written."""
    golden: Sequence[GraphInputs]
    """Batches of test windows. The first has at least two graphs and is stored."""
    references: Mapping[str, SensorReference]
    """References of the manifest's machines, by equipment id; may be empty."""

    def for_any_build(self) -> "Contents":
        """Return the contents without all that only serves the builds of the training.

        Raises:
            SpecError: As `models.any_build.for_any_build`.
        """
        parts = for_any_build(Parts(self.recipe, tensors_of(self.diagnoser)))
        spec = self.manifest.input_spec.without_builds()
        return Contents(
            load_diagnoser(*parts),
            parts.recipe,
            self.manifest.model_copy(update={"input_spec": spec, "machines": ()}),
            [each._replace(sensor_slot=torch.zeros_like(each.sensor_slot)) for each in self.golden],
            {},
        )


def write_bundle(
    path: Path, contents: Contents, options: WriteOptions = WriteOptions()
) -> Manifest:
    """Write a bundle and return its manifest.

    Args:
        path: Where the bundle goes; must not exist. A name that ends in `.zip` gives one file.
        contents: What goes into it.
        options: The optional contents.

    Raises:
        SpecError: The path exists, or the written model's answers differ by more than
            `parity.LIMIT`.
    """
    if path.exists():
        raise SpecError(f"{str(path)!r} exists; choose a new folder", path="output")
    diagnoser, recipe, manifest, golden, references = contents
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
            file.chmod(0o644)  # safetensors creates files that only their owner can read
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
    diagnoser: TensorDiagnoser,
    recipe: DiagnoserRecipe,
    golden: Sequence[GraphInputs],
    *,
    onnx: bool,
) -> float:
    """Write the model; return the largest difference between its answers and the diagnoser's."""
    (folder / CONFIG).write_text(recipe.model_dump_json(indent=2) + "\n", encoding="utf-8")
    save_file(_unshared(tensors_of(diagnoser)), folder / WEIGHTS)
    # Compare the model as it will be read.
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
    """Write the card and the manifest, and sign it if a key is given; return the manifest."""
    (folder / CARD).write_text(model_card(manifest), encoding="utf-8")
    files = {file.name: sha256(file) for file in sorted(folder.iterdir())}
    manifest = manifest.model_copy(update={"files": files})
    content = (manifest.model_dump_json(indent=2) + "\n").encode()
    (folder / MANIFEST).write_bytes(content)
    if sign_key is not None:
        (folder / SIGNATURE).write_bytes(sign(content, sign_key))
    return manifest


def largest_difference(
    diagnoser: TensorDiagnoser, other: TensorDiagnoser, batches: Sequence[GraphInputs]
) -> float:
    """Return the largest absolute difference between the answers of two diagnosers."""
    return max(
        parity.difference(
            parity.golden_answers(other, each), parity.golden_answers(diagnoser, each)
        )
        for each in batches
    )


def _unshared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies, because safetensors refuses tensors that share memory."""
    return {name: tensor.clone().contiguous() for name, tensor in tensors.items()}


def _golden_tensors(diagnoser: TensorDiagnoser, batch: GraphInputs) -> dict[str, Tensor]:
    inputs = {f"inputs.{name}": tensor.contiguous() for name, tensor in batch._asdict().items()}
    found = parity.golden_answers(diagnoser, batch)
    answers = {f"answers.{name}": value for name, value in found.items()}
    return inputs | answers
