"""Reading a bundle with all that an answer needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs, SensorReference
from hydrascope.packaging.files import (
    GOLDEN,
    MANIFEST,
    PROGRAM,
    REFERENCES,
    WEIGHTS,
    as_folder,
    check_bundle,
)
from hydrascope.packaging.manifest import Manifest, sha256
from hydrascope.packaging.parity import difference
from hydrascope.packaging.program_file import Program, load_program
from hydrascope.packaging.references import split_references
from hydrascope.schemas.errors import SpecError


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Attributes:
        manifest: What it says of itself.
        version: First 12 hex digits of the manifest's SHA-256: no two contents share one.
        program: Takes the fields of `GraphInputs` in order, returns each head's decoded answer.
        weights: The program's tensors, by their names in `Diagnoser`, with the prefix `diagnoser.`.
        references: Of the manifest's machines, by equipment id; empty where it has none.
        golden: A batch of test windows.
        golden_answers: What was expected of it at export.
    """

    manifest: Manifest
    version: str
    program: Program
    weights: dict[str, Tensor]
    references: Mapping[str, SensorReference]
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
    with as_folder(path) as folder:
        manifest = check_bundle(folder, verify_key)
        golden, answers = _read_golden(folder / GOLDEN)
        weights = _read_tensors(folder / WEIGHTS)
        return Bundle(
            manifest,
            sha256(folder / MANIFEST)[:12],
            load_program(folder / PROGRAM, weights, device),
            weights,
            _read_references(folder / REFERENCES, manifest),
            golden,
            answers,
        )


def golden_difference(bundle: Bundle) -> float:
    """Return the largest difference between the program's answers here and those at export."""
    with torch.no_grad():
        answers = bundle.program(*bundle.golden)
    return difference(answers, bundle.golden_answers)


def _read_golden(file: Path) -> tuple[GraphInputs, dict[str, Tensor]]:
    tensors = _read_tensors(file)
    inputs = GraphInputs(*(tensors[f"inputs.{name}"] for name in GraphInputs._fields))
    answers = {
        name.removeprefix("answers."): value
        for name, value in tensors.items()
        if name.startswith("answers.")
    }
    return inputs, answers


def _read_references(file: Path, manifest: Manifest) -> dict[str, SensorReference]:
    if file.name not in manifest.files:
        return {}
    return split_references(_read_tensors(file), manifest.machines)


def _read_tensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except SafetensorError as error:
        raise SpecError(f"bundle: {file.name} holds no tensors ({error})") from None
