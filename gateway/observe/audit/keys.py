"""The signing key of a node: read from PEM, or made once for development. Leaves the notes it signs to notes.py."""

import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import GatewayError
from gateway.observe.audit.notes import Signer, is_key_name
from gateway.observe.audit.settings import AuditSettings

KEY_FILE: Final = "audit-signing.pem"


class AuditKeyError(GatewayError):
    """There is no usable signing key; the message says what to do."""


def new_pem() -> bytes:
    """Return a fresh Ed25519 private key as PEM (PKCS #8)."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def read_signer(pem: bytes, name: str) -> Signer:
    """Return the signer of a PEM key under this name; raises AuditKeyError."""
    if not is_key_name(name):
        raise AuditKeyError(f"{name!r} cannot be a key name: no spaces, no plus sign")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise AuditKeyError(
            "the audit key is no unencrypted PEM private key; make one with `gateway audit keygen`"
        ) from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise AuditKeyError("the audit key is not an Ed25519 key; make one with `gateway audit keygen`")
    return Signer(name, key)


def write_secret_file(path: Path, data: bytes) -> bytes:
    """Create the file with mode 0600, or leave one that is there; return what it holds.
    Safe among processes; raises OSError.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return path.read_bytes()
        return data
    finally:
        draft.unlink(missing_ok=True)


def signer_for(settings: AuditSettings) -> Signer:
    """Return the signer that the settings name; in dev mode one is made in the log's directory.
    Raises AuditKeyError, OSError.
    """
    if settings.key_pem is not None:
        return read_signer(settings.key_pem, settings.key_name)
    if not settings.dev:
        raise AuditKeyError(
            "[audit] key is not set; make one with `gateway audit keygen` and name it as env:, file: or exec:"
        )
    path = settings.dir / KEY_FILE
    pem = path.read_bytes() if path.exists() else write_secret_file(path, new_pem())
    return read_signer(pem, settings.key_name)
