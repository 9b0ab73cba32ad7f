"""Reading a bundle: a folder, or an archive of it, with all that an answer needs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.packaging.archive import unpack
from hydrascope.packaging.manifest import Manifest, sha256
from hydrascope.packaging.parity import difference
from hydrascope.packaging.program_file import Program, load_program
from hydrascope.packaging.signature import check_signature
from hydrascope.schemas.errors import SpecError, validate

MANIFEST, PROGRAM, WEIGHTS, GOLDEN, CARD, ONNX, SIGNATURE = (
    "manifest.json",
    "program.json",
    "weights.safetensors",
    "golden.safetensors",
    "model_card.md",
    "model.onnx",
    "signature.ed25519",
)
REQUIRED = {PROGRAM, WEIGHTS, GOLDEN, CARD}


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Attributes:
        manifest: What it says of itself.
        version: First 12 hex digits of the manifest's SHA-256: no two contents share one.
        program: Takes the fields of `GraphInputs` in order, returns each head's decoded answer.
        weights: The program's tensors, by their names in `Diagnoser`, with the prefix `diagnoser.`.
        golden: A batch of test windows.
        golden_answers: What was expected of it at export.
    """

    manifest: Manifest
    version: str
    program: Program
    weights: dict[str, Tensor]
    golden: GraphInputs
    golden_answers: dict[str, Tensor]


def read_bundle(path: Path, verify_key: Path | None = None, device: str = "cpu") -> Bundle:
    """Open a bundle, every file checked against the manifest first; nothing is unpickled.

    Args:
        path: Its folder or archive.
        verify_key: Public key whose signature it must carry.
        device: Where the program's tensors go.

    Raises:
        SpecError: As `check_bundle`, or the program is more than operations on tensors.
    """
    with _as_folder(path) as folder:
        manifest = check_bundle(folder, verify_key)
        golden, answers = _read_golden(folder / GOLDEN)
        weights = _read_tensors(folder / WEIGHTS)
        return Bundle(
            manifest,
            sha256(folder / MANIFEST)[:12],
            load_program(folder / PROGRAM, weights, device),
            weights,
            golden,
            answers,
        )


def read_manifest(path: Path, verify_key: Path | None = None) -> Manifest:
    """Return what a bundle says of itself, after the same checks as `read_bundle`."""
    with _as_folder(path) as folder:
        return check_bundle(folder, verify_key)


def golden_difference(bundle: Bundle) -> float:
    """Return the largest difference between the program's answers here and those at export."""
    with torch.no_grad():
        answers = bundle.program(*bundle.golden)
    return difference(answers, bundle.golden_answers)


def check_bundle(folder: Path, verify_key: Path | None = None) -> Manifest:
    """Check every file of a bundle.

    Raises:
        SpecError: Not a bundle, another schema version, a file missing, changed or unknown, a
            signature that is missing where a key is given, or is not that key's.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
        plain = json.loads(content)
    except (FileNotFoundError, NotADirectoryError):
        raise SpecError(f"bundle: {str(folder)!r} holds no {MANIFEST}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"bundle: {MANIFEST} of {str(folder)!r} is not JSON: {error}") from None
    if verify_key is not None:
        if not (folder / SIGNATURE).is_file():
            raise SpecError(f"bundle: {str(folder)!r} is not signed, and verify_key asks for it")
        check_signature(content, (folder / SIGNATURE).read_bytes(), verify_key)
    manifest = validate(Manifest, plain, source=f"bundle: {MANIFEST}")
    found = {file.name for file in folder.iterdir()} - {MANIFEST, SIGNATURE}
    odd = (found ^ manifest.files.keys()) | (REQUIRED - found) | (found - REQUIRED - {ONNX})
    if odd:
        listed = ", ".join(sorted(odd))
        raise SpecError(f"bundle: files and manifest of {str(folder)!r} disagree on: {listed}")
    for name, expected in manifest.files.items():
        if sha256(folder / name) != expected:
            raise SpecError(f"bundle: {name} of {str(folder)!r} was changed after export")
    return manifest


@contextmanager
def _as_folder(path: Path) -> Iterator[Path]:
    if not path.is_file():
        yield path
        return
    with TemporaryDirectory(prefix="hydrascope-bundle-") as folder:
        unpack(path, Path(folder))
        yield Path(folder)


def _read_golden(file: Path) -> tuple[GraphInputs, dict[str, Tensor]]:
    tensors = _read_tensors(file)
    inputs = GraphInputs(*(tensors[f"inputs.{name}"] for name in GraphInputs._fields))
    answers = {
        name.removeprefix("answers."): value
        for name, value in tensors.items()
        if name.startswith("answers.")
    }
    return inputs, answers


def _read_tensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except SafetensorError as error:
        raise SpecError(f"bundle: {file.name} holds no tensors ({error})") from None
