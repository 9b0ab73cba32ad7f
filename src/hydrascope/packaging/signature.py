"""The Ed25519 signature (RFC 8032) of a bundle's manifest, which holds all other files' hashes."""

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from hydrascope.schemas.errors import SpecError

_MAKE = "make one with: openssl genpkey -algorithm ed25519 -out signing.pem"


def sign(content: bytes, private_key: Path) -> bytes:
    """Return the signature of `content`, 64 bytes.

    Raises:
        SpecError: The file is no Ed25519 private key (PEM, without a password).
    """
    pem = _read(private_key, "sign_key")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):  # TypeError: it needs a password
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SpecError(
            f"{str(private_key)!r} is no Ed25519 private key (PEM); {_MAKE}", path="sign_key"
        )
    return key.sign(content)


def check_signature(content: bytes, signature: bytes, public_key: Path) -> None:
    """Check that the private key of `public_key` signed `content`.

    Raises:
        SpecError: Another key signed, the content has changed, or the file is no public key.
    """
    pem = _read(public_key, "verify_key")
    try:
        key = load_pem_public_key(pem)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SpecError(
            f"{str(public_key)!r} is no Ed25519 public key (PEM); "
            "get it with: openssl pkey -in signing.pem -pubout",
            path="verify_key",
        )
    try:
        key.verify(signature, content)
    except InvalidSignature:
        raise SpecError(
            f"its signature is not that of the key {str(public_key)!r}", path="bundle"
        ) from None


def _read(file: Path, key: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SpecError(f"{key}: {str(file)!r} cannot be read ({error.strerror})") from None
