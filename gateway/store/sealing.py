"""Seals secrets before they reach a store: AES-256-GCM under a key that the store never sees.

What a sealed value belongs to (site, session id) is its additional data, so that it cannot be moved to another
record. Rule kept: no plain secret, and nothing from which one could be guessed, is written outside this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Entropy = Callable[[int], bytes]
"""As many fresh unpredictable bytes as asked for; `os.urandom` outside tests."""

_NONCE_BYTES = 12


class SealBroken(Exception):
    """A sealed value that does not open: changed, moved, or sealed under a key that is gone."""


class Sealer:
    """Seals under the newest of a ring of keys, opens under any of them.

    `keys`: version (1 to 255) to 16 or more bytes of key material; each is stretched to its own AES key, so that the
    material may serve other purposes too.
    """

    def __init__(self, keys: Mapping[int, bytes], entropy: Entropy) -> None:
        if not keys or any(not 1 <= version <= 255 or len(key) < 16 for version, key in keys.items()):
            raise ValueError("sealing needs keys of 16 or more bytes with versions from 1 to 255")
        self._entropy = entropy
        self._version = max(keys)
        self._ciphers = {version: AESGCM(_stretch(key)) for version, key in keys.items()}

    def __repr__(self) -> str:
        return f"Sealer(versions={sorted(self._ciphers)})"

    def seal(self, secret: bytes, context: bytes) -> bytes:
        """Return the sealed form of `secret`, bound to `context`."""
        # 96 random bits per value: safe up to 2^32 values under one key, NIST SP 800-38D section 8.3
        nonce = self._entropy(_NONCE_BYTES)
        return bytes((self._version,)) + nonce + self._ciphers[self._version].encrypt(nonce, secret, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return what was sealed. Raises `SealBroken` when it was changed, moved, or its key is unknown."""
        cipher = self._ciphers.get(sealed[0]) if sealed else None
        if cipher is None:
            raise SealBroken("sealed under a key that is not in the ring")
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, body, context)
        except (InvalidTag, ValueError) as exc:
            raise SealBroken("changed, or sealed for another record") from exc


def _stretch(key: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"gateway store sealing v1").derive(key)
