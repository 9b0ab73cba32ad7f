"""Writing and reading a bundle: a folder with all that an answer needs, proven unchanged."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.export import ExportedProgram

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.packaging.manifest import Manifest, sha256
from hydrascope.packaging.program import export_program, largest_difference
from hydrascope.schemas.errors import SpecError, validate

MANIFEST, PROGRAM, WEIGHTS, GOLDEN = (
    "manifest.json",
    "program.pt2",
    "weights.safetensors",
    "golden.safetensors",
)
PARITY_LIMIT = 1e-4
"""Largest accepted absolute difference between exported and eager answers."""


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Attributes:
        manifest: What it says of itself.
        program: Takes the fields of `GraphInputs` in order, returns each head's decoded answer.
    """

    manifest: Manifest
    program: ExportedProgram


def write_bundle(
    folder: Path, diagnoser: Diagnoser, manifest: Manifest, golden: list[GraphInputs]
) -> Manifest:
    """Export, prove equal, and only then put the bundle in its place.

    Args:
        folder: Where the bundle goes; must not exist.
        diagnoser: Trained, on the CPU.
        manifest: With `parity` and `files` still empty; they are measured here.
        golden: Batches of test windows; the first has at least two graphs and travels along.

    Raises:
        SpecError: The folder exists, or an exported answer differs by more than `PARITY_LIMIT`.
    """
    if folder.exists():
        raise SpecError(f"output: {str(folder)!r} exists; choose a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        program = export_program(diagnoser, golden[0])
        # Example inputs would be stored as a pickle, and nothing in a bundle may need unpickling.
        program.example_inputs = None
        torch.export.save(program, part / PROGRAM)
        parity = largest_difference(diagnoser, torch.export.load(part / PROGRAM), golden)
        if not parity <= PARITY_LIMIT:
            raise SpecError(
                f"export: exported and eager answers differ by {parity:.2g}; "
                f"accepted: at most {PARITY_LIMIT:g}"
            )
        save_file(diagnoser.state_dict(), part / WEIGHTS)
        save_file(_golden_tensors(diagnoser, golden[0]), part / GOLDEN)
        files = {file.name: sha256(file) for file in sorted(part.iterdir())}
        manifest = manifest.model_copy(update={"parity": parity, "files": files})
        (part / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        part.chmod(0o755)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest


def read_bundle(folder: Path) -> Bundle:
    """Open a bundle after checking every file against the manifest.

    Raises:
        SpecError: Not a bundle, another schema version, a file missing, changed or unknown.
    """
    try:
        content = json.loads((folder / MANIFEST).read_text("utf-8"))
    except FileNotFoundError:
        raise SpecError(f"bundle: {str(folder)!r} holds no {MANIFEST}") from None
    except json.JSONDecodeError as error:
        raise SpecError(f"bundle: {MANIFEST} of {str(folder)!r} is not JSON: {error}") from None
    manifest = validate(Manifest, content, source=f"bundle: {MANIFEST}")
    found = {file.name for file in folder.iterdir()} - {MANIFEST}
    if found != manifest.files.keys():
        odd = ", ".join(sorted(found ^ manifest.files.keys()))
        raise SpecError(f"bundle: files and manifest of {str(folder)!r} disagree on: {odd}")
    for name, expected in manifest.files.items():
        if sha256(folder / name) != expected:
            raise SpecError(f"bundle: {name} of {str(folder)!r} was changed after export")
    return Bundle(manifest, torch.export.load(folder / PROGRAM))


def read_golden(folder: Path) -> tuple[GraphInputs, dict[str, Tensor]]:
    """Return the golden batch and the answers that were expected of it at export."""
    tensors = load_file(folder / GOLDEN)
    inputs = GraphInputs(*(tensors[f"inputs.{name}"] for name in GraphInputs._fields))
    answers = {
        name.removeprefix("answers."): value
        for name, value in tensors.items()
        if name.startswith("answers.")
    }
    return inputs, answers


def _golden_tensors(diagnoser: Diagnoser, batch: GraphInputs) -> dict[str, Tensor]:
    inputs = {f"inputs.{name}": tensor.contiguous() for name, tensor in batch._asdict().items()}
    answers = {f"answers.{name}": value for name, value in diagnoser.predict(batch).items()}
    return inputs | answers
