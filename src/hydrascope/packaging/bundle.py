"""Reading a bundle: everything that is needed to answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs, SensorReference
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.recipe import DiagnoserRecipe, Parts, load_diagnoser
from hydrascope.packaging.files import (
    CONFIG,
    GOLDEN,
    MANIFEST,
    REFERENCES,
    WEIGHTS,
    as_folder,
    check_bundle,
)
from hydrascope.packaging.manifest import Manifest, sha256
from hydrascope.packaging.parity import difference, golden_answers
from hydrascope.packaging.references import split_references
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.json_file import parse_json


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Attributes:
        manifest: The bundle's description.
        version: First 12 hex digits of the manifest's SHA-256: no two contents share one.
        diagnoser: In evaluation mode.
        references: References of the manifest's machines, by equipment id; may be empty.
        golden: A batch of test windows.
        golden_answers: The answers to this batch at export.
    """

    manifest: Manifest
    version: str
    diagnoser: TensorDiagnoser
    references: Mapping[str, SensorReference]
    golden: GraphInputs
    golden_answers: dict[str, Tensor]


def read_bundle(path: Path, verify_key: Path | None = None, device: str = "cpu") -> Bundle:
    """Open a bundle after checking every file against the manifest; nothing is unpickled.

    Args:
        path: The bundle's folder or archive.
        verify_key: Public key that the bundle's signature must match.
        device: Where the diagnoser's tensors go.

    Raises:
        SpecError: As in `check_bundle`, or the model cannot be built here.
    """
    with as_folder(path) as folder:
        manifest = check_bundle(folder, verify_key)
        golden, answers = _read_golden(folder / GOLDEN)
        return Bundle(
            manifest,
            sha256(folder / MANIFEST)[:12],
            read_diagnoser(folder).to(device),
            _read_references(folder / REFERENCES, manifest),
            golden,
            answers,
        )


def read_diagnoser(folder: Path) -> TensorDiagnoser:
    """Build the diagnoser of a bundle.

    Raises:
        SpecError: Its configuration or tensors are invalid or do not match, or a model from
            another package is not installed here.
    """
    parts = _read_parts(folder)
    try:
        return load_diagnoser(*parts)
    except SpecError as error:
        raise SpecError(f"its model cannot be built here: {error}", path="bundle") from None


def read_parts(path: Path) -> Parts:
    """Return the recipe and the tensors of a bundle, after checking every file.

    Raises:
        SpecError: As in `check_bundle`, or its configuration is invalid.
    """
    with as_folder(path) as folder:
        check_bundle(folder)
        return _read_parts(folder)


def _read_parts(folder: Path) -> Parts:
    try:
        plain = parse_json((folder / CONFIG).read_bytes(), CONFIG)
    except SpecError as error:
        raise error.under("bundle") from None
    recipe = validate(DiagnoserRecipe, plain, source=f"bundle: {CONFIG}")
    return Parts(recipe, _read_tensors(folder / WEIGHTS))


def golden_difference(bundle: Bundle) -> float:
    """Return the largest absolute difference between the answers here and those at export."""
    return difference(golden_answers(bundle.diagnoser, bundle.golden), bundle.golden_answers)


def _read_golden(file: Path) -> tuple[GraphInputs, dict[str, Tensor]]:
    tensors = _read_tensors(file)
    lacking = [name for name in GraphInputs._fields if f"inputs.{name}" not in tensors]
    if lacking:
        raise SpecError(f"{file.name} lacks inputs.{lacking[0]}", path="bundle")
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
        raise SpecError(f"{file.name} holds no tensors ({error})", path="bundle") from None
