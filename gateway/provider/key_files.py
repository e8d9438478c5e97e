"""The directory of signing keys: one list of them, their private halves, and the lock of who changes them.

Leaves what the keys mean to `provider.keys`. Rules kept: files are 0600 and refused when others may read them, and the
list is replaced in one durable step, so that a reader never sees half of it.
"""

from __future__ import annotations

import base64
import fcntl
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from gateway.errors import GatewayError
from gateway.policy.signing_keys import KeyEntry

LIST_NAME: Final = "ring.json"
LOCK_NAME: Final = ".lock"
_OTHERS: Final = stat.S_IWGRP | stat.S_IRWXO


class KeyRingFault(GatewayError):
    """A key directory that cannot be used or changed; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Ring:
    """One reading of the directory: the list, the public keys as JWK members, and every key id that ever was."""

    entries: tuple[KeyEntry, ...]
    public: Mapping[str, Mapping[str, str]]
    seen: frozenset[str]


EMPTY: Final = Ring((), {}, frozenset())


class KeyFiles:
    """The files of one directory. Every method raises KeyRingFault when the file system does not play along."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def version(self) -> tuple[int, int, int]:
        """What tells one list from another without reading it."""
        try:
            found = (self.directory / LIST_NAME).stat()
        except FileNotFoundError:
            return (0, 0, 0)
        except OSError as exc:
            raise KeyRingFault(f"the list of signing keys cannot be read: {exc.strerror}") from exc
        return (found.st_mtime_ns, found.st_ino, found.st_size)

    def read(self) -> Ring:
        """The list as it stands; EMPTY where there is none."""
        path = self.directory / LIST_NAME
        try:
            _check_mode(path)
            kept = orjson.loads(path.read_bytes())
            public = {row["kid"]: {"kty": "RSA", "n": row["n"], "e": row["e"]} for row in kept["keys"]}
            entries = tuple(
                KeyEntry(row["kid"], row["created_at"], row["signs_from"], row["withdrawn_at"]) for row in kept["keys"]
            )
            return Ring(entries, public, frozenset(kept["seen"]) | public.keys())
        except FileNotFoundError:
            return EMPTY
        except OSError as exc:
            raise KeyRingFault(f"the list of signing keys cannot be read: {exc.strerror}") from exc
        except (ValueError, KeyError, TypeError) as exc:
            raise KeyRingFault("the list of signing keys is damaged; restore it, or remove the directory") from exc

    def write(self, ring: Ring) -> None:
        """Replace the list. The caller holds the lock."""
        rows = [
            {
                "kid": entry.kid, "created_at": entry.created_at, "signs_from": entry.signs_from,
                "withdrawn_at": entry.withdrawn_at, "n": ring.public[entry.kid]["n"], "e": ring.public[entry.kid]["e"],
            }
            for entry in ring.entries
        ]  # fmt: skip
        document = {"version": 1, "keys": rows, "seen": sorted(ring.seen)}
        _write_private(self.directory / LIST_NAME, orjson.dumps(document, option=orjson.OPT_INDENT_2))

    def keep_private(self, kid: str, key: RSAPrivateKey) -> None:
        """Write the private half of a key. The caller holds the lock."""
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_private(self._path(kid), pem)

    def drop_private(self, kids: Collection[str]) -> None:
        """Delete the private halves of keys that sign no more. The caller holds the lock."""
        for kid in kids:
            self._path(kid).unlink(missing_ok=True)

    def load_private(self, kid: str) -> RSAPrivateKey:
        """The private half of a key."""
        path = self._path(kid)
        try:
            _check_mode(path)
            key = load_pem_private_key(path.read_bytes(), None)
        except OSError as exc:
            raise KeyRingFault(f"the signing key cannot be read: {exc.strerror}") from exc
        except (ValueError, TypeError) as exc:
            raise KeyRingFault("the signing key is no plain PEM private key") from exc
        if not isinstance(key, RSAPrivateKey):
            raise KeyRingFault("the signing key is no RSA key")
        return key

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only process that changes the directory, which is made where there is none."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise KeyRingFault(f"the directory of signing keys cannot be changed: {exc.strerror}") from exc
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        except OSError as exc:
            raise KeyRingFault(f"the directory of signing keys cannot be changed: {exc.strerror}") from exc
        finally:
            os.close(lock)

    def _path(self, kid: str) -> Path:
        return self.directory / f"key-{kid}.pem"


def base64url(data: bytes) -> str:
    """Base64url without padding, as JOSE writes it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _check_mode(path: Path) -> None:
    """Refuse a file that others could read or change; a group may read it, as mounted secrets are."""
    if path.stat().st_mode & _OTHERS:
        raise KeyRingFault(f"{path.name} may be read or changed by others; chmod 600 it")


def _write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 in one step, durable before it has its name."""
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
