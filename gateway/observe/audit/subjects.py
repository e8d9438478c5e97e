"""Names of visitors under a key of each one's own: whoever destroys the key unlinks every record of that visitor.

The name of a key is an HMAC, so that what holds the keys names nobody. Leaves names by month to pseudonyms.py.
Rule: a visitor whose key cannot be had goes unnamed in the record; no other key stands in for it.
"""

import asyncio
import hmac
import logging
import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from gateway.observe.audit.keys import write_secret_file
from gateway.observe.audit.pseudonyms import KEY_BYTES, KeyRing, destroy

_log: Final = logging.getLogger("gateway.audit")
KNOWN_S: Final = 60.0
"""How long a node goes on with a key that was destroyed elsewhere."""
_MAX_KNOWN: Final = 20_000
_TOUCH_S: Final = 86_400.0
_NAME: Final = re.compile(r"^[0-9a-f]{32}$")


def name_under(key: bytes) -> str:
    """Return the name of the visitor whose key this is, as it stands in `user.id`."""
    return f"s:{hmac.digest(key, b'user.id', sha256).hex()[:24]}"


def key_name(ring: KeyRing, site: str, subject: str) -> str:
    """Return the name under which a visitor's key is kept. Raises OSError when it cannot be made."""
    return ring.ref("subject", f"{site}\0{subject}").removeprefix("h:")


class SubjectKeys(Protocol):
    """Where the keys are. Every method raises OSError when the place does not answer."""

    async def agree(self, name: str, fresh: bytes) -> bytes:
        """Return the key of this name; keep `fresh` as such when there is none. It then lives on."""
        ...

    async def find(self, name: str) -> bytes | None:
        """Return the key of this name, or None."""
        ...

    async def forget(self, name: str) -> bool:
        """Destroy the key of this name; True when there was one."""
        ...


class DirectoryKeys:
    """Keys as files: for one node, or nodes that share the directory."""

    def __init__(self, directory: Path) -> None:
        """Name the directory; it is made when the first key is."""
        self._directory = directory

    async def agree(self, name: str, fresh: bytes) -> bytes:
        """Return the key of this name; keep `fresh` as such when there is none. Raises OSError."""
        return await asyncio.to_thread(self._agree, name, fresh)

    async def find(self, name: str) -> bytes | None:
        """Return the key of this name, or None. Raises OSError."""
        return await asyncio.to_thread(self.find_now, name)

    async def forget(self, name: str) -> bool:
        """Destroy the key of this name; True when there was one. Raises OSError."""
        return await asyncio.to_thread(self.forget_now, name)

    def find_now(self, name: str) -> bytes | None:
        """As `find`, blocking."""
        try:
            key = self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        if len(key) != KEY_BYTES:
            raise OSError(f"key file {name} is damaged")
        return key

    def forget_now(self, name: str) -> bool:
        """As `forget`, blocking."""
        path = self._path(name)
        if not path.exists():
            return False
        destroy(path)
        return True

    def forget_unused(self, before: float) -> int:
        """Destroy the keys of visitors who have no record since the moment; returns how many. Blocking."""
        if not self._directory.is_dir():
            return 0
        unused = [path for path in self._directory.glob("*.key") if path.stat().st_mtime < before - _TOUCH_S]
        for path in unused:
            destroy(path)
        return len(unused)

    def _agree(self, name: str, fresh: bytes) -> bytes:
        path, found = self._path(name), self.find_now(name)
        if found is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return write_secret_file(path, fresh)
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _TOUCH_S:
                os.utime(path)  # the file's time says when the visitor was last there
        return found

    def _path(self, name: str) -> Path:
        if not _NAME.match(name):
            raise ValueError("no name of a key")
        return self._directory / f"{name}.key"


class Subjects:
    """The names of the visitors that this node has to do with."""

    def __init__(
        self,
        keys: SubjectKeys,
        ring: KeyRing,
        *,
        random: Callable[[int], bytes] = os.urandom,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start knowing nobody."""
        self._keys, self._ring, self._random, self._monotonic = keys, ring, random, monotonic
        self._known: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def name(self, site: str, subject: str) -> str | None:
        """Return the visitor's name, or None for one who was not met."""
        found = self._known.get((site, subject))
        return None if found is None else found[0]

    async def meet(self, site: str, subject: str) -> None:
        """Have the visitor's name at hand for its records; makes its key the first time. Never raises."""
        found = self._known.get((site, subject))
        if found is not None and self._monotonic() < found[1]:
            return
        try:
            key = await self._keys.agree(key_name(self._ring, site, subject), self._random(KEY_BYTES))
        except OSError as exc:
            self._known.pop((site, subject), None)
            _log.error("audit: the key of a visitor cannot be had (%s); its records do not name it", type(exc).__name__)
            return
        self._known[site, subject] = (name_under(key), self._monotonic() + KNOWN_S)
        self._known.move_to_end((site, subject))
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)

    async def look_up(self, site: str, subject: str) -> str | None:
        """Return the name that the visitor has in records, None when there is none. Raises OSError."""
        key = await self._keys.find(key_name(self._ring, site, subject))
        return None if key is None else name_under(key)

    async def forget(self, site: str, subject: str) -> bool:
        """Destroy the visitor's key; True when there was one. Raises OSError."""
        self._known.pop((site, subject), None)
        return await self._keys.forget(key_name(self._ring, site, subject))
