"""Writing a bundle: exported, proven equal, and only then put in its place."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.export import ExportedProgram

from hydrascope.graphs.fields import GraphInputs, SensorReference
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.packaging import archive, parity
from hydrascope.packaging.card import model_card
from hydrascope.packaging.files import (
    CARD,
    GOLDEN,
    MANIFEST,
    ONNX,
    PROGRAM,
    REFERENCES,
    SIGNATURE,
    WEIGHTS,
    check_bundle,
)
from hydrascope.packaging.manifest import Manifest, sha256
from hydrascope.packaging.program import export_program, largest_difference
from hydrascope.packaging.program_file import load_program, save_program
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
        manifest: With `parity` and `files` still empty; they are measured here.
        golden: Batches of test windows; the first has at least two graphs and travels along.
        references: Of the manifest's machines, by equipment id; empty where they have none.
        options: What else goes in.

    Raises:
        SpecError: The path exists, an exported answer differs by more than `parity.LIMIT`, or the
            program would need unpickling.
    """
    if path.exists():
        raise SpecError(f"output: {str(path)!r} exists; choose a new folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    folder = part / "bundle"
    folder.mkdir()
    try:
        exported = export_program(diagnoser, golden[0])
        worst = _write_program(folder, exported, diagnoser, golden)
        if options.onnx:
            from hydrascope.packaging.onnx_model import write_onnx

            worst = max(worst, write_onnx(folder / ONNX, exported, diagnoser, golden))
        _refuse_difference(worst)
        save_file(_golden_tensors(diagnoser, golden[0]), folder / GOLDEN)
        if references:
            save_references(folder / REFERENCES, manifest.machines, references)
        manifest = manifest.model_copy(update={"parity": worst})
        (folder / CARD).write_text(model_card(manifest), encoding="utf-8")
        files = {file.name: sha256(file) for file in sorted(folder.iterdir())}
        manifest = manifest.model_copy(update={"files": files})
        content = (manifest.model_dump_json(indent=2) + "\n").encode()
        (folder / MANIFEST).write_bytes(content)
        if options.sign_key is not None:
            (folder / SIGNATURE).write_bytes(sign(content, options.sign_key))
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


def _write_program(
    folder: Path, exported: ExportedProgram, diagnoser: Diagnoser, golden: list[GraphInputs]
) -> float:
    tensors = save_program(exported, folder / PROGRAM)
    save_file(tensors, folder / WEIGHTS)
    # What is compared is what will be read.
    program = load_program(folder / PROGRAM, load_file(folder / WEIGHTS))
    return largest_difference(diagnoser, program, golden)


def _refuse_difference(worst: float) -> None:
    if not worst <= parity.LIMIT:
        raise SpecError(
            f"export: exported and eager answers differ by {worst:.2g}; "
            f"accepted: at most {parity.LIMIT:g}"
        )


def _golden_tensors(diagnoser: Diagnoser, batch: GraphInputs) -> dict[str, Tensor]:
    inputs = {f"inputs.{name}": tensor.contiguous() for name, tensor in batch._asdict().items()}
    answers = {f"answers.{name}": value for name, value in diagnoser.predict(batch).items()}
    return inputs | answers
