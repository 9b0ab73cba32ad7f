"""The files of a bundle, in a folder or an archive, and the check that they are unchanged.

Nothing here needs torch, which takes seconds to import.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hydrascope.packaging.archive import unpack
from hydrascope.packaging.manifest import SCHEMA_VERSION, Manifest, sha256
from hydrascope.packaging.pretrained import located
from hydrascope.packaging.signature import check_signature
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.json_file import parse_json

MANIFEST, CONFIG, WEIGHTS, GOLDEN, REFERENCES, CARD, ONNX, SIGNATURE = (
    "manifest.json",
    "config.json",
    "model.safetensors",
    "golden.safetensors",
    "references.safetensors",
    "model_card.md",
    "model.onnx",
    "signature.ed25519",
)
REQUIRED = {CONFIG, WEIGHTS, GOLDEN, CARD}
OPTIONAL = {REFERENCES, ONNX}


def read_manifest(path: Path, verify_key: Path | None = None) -> Manifest:
    """Return a bundle's manifest, after the same checks as `read_bundle`."""
    with as_folder(path) as folder:
        return check_bundle(folder, verify_key)


def check_bundle(folder: Path, verify_key: Path | None = None) -> Manifest:
    """Check every file of a bundle.

    Raises:
        SpecError: It is no bundle or has another schema version; a file is missing, changed or
            unknown; or a key is given and the signature is missing or not of that key.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
        plain = parse_json(content, f"{MANIFEST} of {str(folder)!r}")
    except (FileNotFoundError, NotADirectoryError):
        fault = f"holds no {MANIFEST}" if folder.exists() else "does not exist"
        raise SpecError(
            f"{str(folder)!r} {fault}; expected the folder or the archive of a bundle",
            path="bundle",
        ) from None
    except OSError as error:
        raise SpecError(f"{str(folder)!r}: {error.strerror}", path="bundle") from None
    except SpecError as error:
        raise error.under("bundle") from None
    if verify_key is not None:
        if not (folder / SIGNATURE).is_file():
            raise SpecError(
                f"{str(folder)!r} is not signed, and verify_key asks for it", path="bundle"
            )
        check_signature(content, (folder / SIGNATURE).read_bytes(), verify_key)
    version = plain.get("schema_version") if isinstance(plain, dict) else None
    if isinstance(version, int) and version != SCHEMA_VERSION:
        older = "export its checkpoint again, or train again if that is older too"
        remedy = older if version < SCHEMA_VERSION else "update Hydrascope"
        raise SpecError(
            f"{str(folder)!r} is of schema version {version}, accepted: {SCHEMA_VERSION}; {remedy}",
            path="bundle",
        )
    manifest = validate(Manifest, plain, source=f"bundle: {MANIFEST}")
    found = {file.name for file in folder.iterdir() if file.is_file()} - {MANIFEST, SIGNATURE}
    odd = (found ^ manifest.files.keys()) | (REQUIRED - found) | (found - REQUIRED - OPTIONAL)
    if odd:
        listed = ", ".join(sorted(odd))
        raise SpecError(
            f"files and manifest of {str(folder)!r} disagree on: {listed}", path="bundle"
        )
    for name, expected in manifest.files.items():
        if sha256(folder / name) != expected:
            raise SpecError(f"{name} of {str(folder)!r} was changed after export", path="bundle")
    return manifest


@contextmanager
def as_folder(path: Path) -> Iterator[Path]:
    """Yield a bundle's folder; an archive is unpacked into a temporary one."""
    path = located(path)
    if not path.is_file():
        yield path
        return
    with TemporaryDirectory(prefix="hydrascope-bundle-") as folder:
        unpack(path, Path(folder))
        try:
            yield Path(folder)
        except SpecError as error:  # which names a folder that nobody knows
            faults = [(key, message.replace(folder, str(path))) for key, message in error.faults]
            raise SpecError(*faults, source=error.source) from None
