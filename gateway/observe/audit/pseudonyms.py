"""Names that can be destroyed: pseudonyms of visitors, references of clients, tokens and sessions, under keys of
their epoch.

Each key is random, made once, shared by all who share the directory (or the agreed store), never in the log.
Deleting the
key of an epoch unlinks all its pseudonyms; the records and their chain stay as they are.
"""

import hmac
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from hashlib import sha256
from pathlib import Path
from time import gmtime, strftime
from typing import Final

from gateway.observe.audit.keys import write_secret_file

KEY_BYTES: Final = 32
_REF_KEY: Final = "ref"
_EPOCH_KEY: Final = re.compile(r"^(user-\d{6}|client-\d{8})\.key$")
_DAY_S: Final = 86_400.0

Agree = Callable[[str, bytes], Awaitable[bytes]]
"""Offers a key under a name to the other nodes, and returns the one that all use: set if absent, then get."""


def month_of(now: float) -> str:
    """Epoch of a visitor's pseudonym."""
    return strftime("%Y%m", gmtime(now))


def day_of(now: float) -> str:
    """Epoch of a client reference."""
    return strftime("%Y%m%d", gmtime(now))


def _mac(key: bytes, *parts: str) -> str:
    return hmac.digest(key, "\0".join(parts).encode("utf-8", "surrogatepass"), sha256).hex()


class KeyRing:
    """The keys of all live epochs, in a directory."""

    def __init__(self, directory: Path, random: Callable[[int], bytes] = os.urandom) -> None:
        """Name the directory; it is made when the first key is."""
        self._directory, self._random = directory, random
        self._keys: dict[str, bytes] = {}

    def pseudonym(self, site: str, subject: str, now: float) -> str:
        """Return the visitor's name of this month: `p<epoch>:` and 24 hex digits.
        Raises OSError when no key can be had.
        """
        epoch = month_of(now)
        return f"p{epoch}:{_mac(self._key(f'user-{epoch}'), site, subject)[:24]}"

    def client_ref(self, address: str, now: float) -> str:
        """Return the reference of a full client address for this day. Raises OSError when no key can be had."""
        epoch = day_of(now)
        return f"c{epoch}:{_mac(self._key(f'client-{epoch}'), address)[:24]}"

    def ref(self, kind: str, secret: str) -> str:
        """Return the lasting reference of a token, session or conversation. Raises OSError when no key can be had."""
        return f"h:{_mac(self._key(_REF_KEY), kind, secret)[:32]}"

    def pseudonyms(self, site: str, subject: str) -> Iterator[str]:
        """Yield the visitor's names of all epochs whose key still exists, oldest first."""
        for name in self.epochs():
            kind, _, epoch = name.partition("-")
            if kind == "user":
                yield f"p{epoch}:{_mac(self._key(name), site, subject)[:24]}"

    def epochs(self) -> list[str]:
        """Names of the epoch keys that exist, oldest first."""
        if not self._directory.is_dir():
            return []
        return sorted(match[1] for file in self._directory.iterdir() if (match := _EPOCH_KEY.match(file.name)))

    def destroy_before(self, moment: float) -> list[str]:
        """Destroy the keys of epochs that ended before the moment; return their names. Raises OSError."""
        ended = {"user": month_of(moment), "client": day_of(moment)}
        gone = [name for name in self.epochs() if name.partition("-")[2] < ended[name.partition("-")[0]]]
        for name in gone:
            destroy(self._path(name))
            self._keys.pop(name, None)
        return gone

    def prepare(self, now: float) -> None:
        """Have the keys of this and the next epoch ready, so that no request waits for a disk. Raises OSError."""
        for name in self._names_around(now):
            self._key(name)

    async def agree(self, now: float, agree: Agree) -> None:
        """Take over the keys that all nodes use, for this and the next epoch.
        Raises what `agree` raises, and OSError.
        """
        for name in self._names_around(now):
            if name not in self._keys:
                path = self._path(name)
                offered = path.read_bytes() if path.exists() else self._random(KEY_BYTES)
                agreed = await agree(name, offered)
                if agreed != offered and path.exists():
                    path.unlink()
                self._keys[name] = self._stored(name, agreed)

    def _names_around(self, now: float) -> list[str]:
        later = now + _DAY_S
        return sorted({f"user-{month_of(now)}", f"user-{month_of(later)}", f"client-{day_of(now)}",
            f"client-{day_of(later)}",
                       _REF_KEY})  # fmt: skip

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.key"

    def _key(self, name: str) -> bytes:
        key = self._keys.get(name)
        if key is None:
            path = self._path(name)
            key = self._keys[name] = _whole(path, path.read_bytes()) if path.exists() else self._made(name)
        return key

    def _made(self, name: str) -> bytes:
        return self._stored(name, self._random(KEY_BYTES))

    def _stored(self, name: str, key: bytes) -> bytes:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _whole(self._path(name), write_secret_file(self._path(name), key))


def destroy(path: Path) -> None:
    """Overwrite a key file, then remove it. Raises OSError."""
    with path.open("r+b") as file:
        file.write(bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def _whole(path: Path, key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise OSError(f"key file {path.name} is damaged")
    return key
